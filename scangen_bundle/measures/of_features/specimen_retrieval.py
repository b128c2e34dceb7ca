"""Specimen retrieval: is the same specimen among the nearest scans of another scanner?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scangen_bundle.measures.feature_measure import PAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.mean_of_ratios import MeanOfRatios
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.neighbours import BLOCK_ELEMENTS, finite_unit_rows, run_cells
from scangen_bundle.measures.paired_features import share_of_hits

KEY = "specimen_retrieval/top{}"
KS = (1, 5, 10)


def _measure(k: int) -> FeatureMeasure:
    return FeatureMeasure(
        KEY.format(k),
        f"top-{k} specimen retrieval",
        "higher",
        f"How often a scan's specimen is among the {k} nearest scans of another scanner.",
        baseline="scans in a random order",
        group=PAIRED,
        position=70 + k,
        of_embeddings=True,
    )


@feature_measure(*(_measure(k) for k in KS))
def retrieval(features: FeatureViews) -> Measured:
    scans = features.scans
    search = specimen_retrieval(scans.values, scans.specimen, scans.scanner, KS)
    if not len(search.query):
        raise UndefinedMeasure("no specimen was scanned on two scanners")
    patient, ones = scans.patient[search.query], np.ones(len(search.query))
    statistics, baselines = [], {}
    for column, k in enumerate(KS):
        key = KEY.format(k)
        statistics.append(MeanOfRatios(key, search.hit[:, column], ones, patient, scans.patients, share=True))
        baselines[key] = float(search.chance[:, column].mean())
    return Measured(statistics, scans.patients, rows=len(patient), baselines=baselines)


@dataclass(frozen=True)
class Retrieval:
    """Finding the same specimen among the scans of another scanner.

    Attributes:
        query: [Q] row of the query.
        target: [Q] scanner searched, as its number.
        hit: [Q, K] 1 where the specimen is among the first k, 0 where not; in between where ties straddle k.
        chance: [Q, K] of a random order.
        ks: the K numbers.
    """

    query: np.ndarray
    target: np.ndarray
    hit: np.ndarray
    chance: np.ndarray
    ks: tuple[int, ...]


def specimen_retrieval(
    embeddings: np.ndarray, specimen: np.ndarray, scanner: np.ndarray, ks: Sequence[int] = (1, 5, 10)
) -> Retrieval:
    """Search each scan's specimen among the scans of each other scanner that has it, by cosine.

    With several scans of the specimen there, the nearest one counts. With g scans of other specimens strictly nearer and
    t as near, it is among the first k with probability min(1, max(0, k - g) / (t + 1)).

    Args:
        embeddings: [N, E].
        specimen, scanner: [N] int64 from 0.
        ks: numbers of scans looked at.
    """
    unit = finite_unit_rows(embeddings)
    specimen, scanner = np.asarray(specimen), np.asarray(scanner)
    parts = []
    for target in np.unique(scanner):
        pool = np.flatnonzero(scanner == target)
        pool = pool[np.argsort(specimen[pool], kind="stable")]  # scans of a specimen side by side
        first = np.searchsorted(specimen[pool], specimen, "left")
        last = np.searchsorted(specimen[pool], specimen, "right")
        query = np.flatnonzero((scanner != target) & (last > first))
        hit = _hits(unit, pool, query, first, last, ks)
        chance = _chance(len(pool), last[query] - first[query], ks)
        parts.append((query, np.full(len(query), target), hit, chance))
    query, searched, hit, chance = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Retrieval(query, searched, hit, chance, tuple(ks))


def _hits(
    unit: np.ndarray, pool: np.ndarray, query: np.ndarray, first: np.ndarray, last: np.ndarray, ks: Sequence[int]
) -> np.ndarray:
    """Hits [Q, K] of the rows `query` among the rows `pool`.

    Scans of row i's specimen are pool[first[i]] to pool[last[i] - 1].
    """
    import torch

    candidates = torch.from_numpy(unit[pool]).T.contiguous()
    rows = max(1, BLOCK_ELEMENTS // len(pool))
    memory = torch.empty((min(rows, len(query)), len(pool)))
    hits = np.empty((len(query), len(ks)))
    for start in range(0, len(query), rows):
        block = query[start : start + rows]
        queries = torch.from_numpy(unit[block])
        similarity = torch.mm(queries, candidates, out=memory[: len(block)]).numpy()
        mates = last[block] - first[block]
        row, column = run_cells(first[block], last[block])
        starts = np.cumsum(mates) - mates
        best = np.maximum.reduceat(similarity[row, column], starts)[:, None]
        similarity[row, column] = -np.inf  # mates do not compete
        # Counted by NumPy: ten times as fast as PyTorch sums truth values.
        nearer = np.count_nonzero(similarity > best, axis=1)
        ties = np.count_nonzero(similarity == best, axis=1)
        hits[start : start + rows] = share_of_hits(nearer, ties, ks)
    return hits


def _chance(pool: int, mates: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Probability [Q, K] that one of `mates` [Q] of `pool` scans is among the first k of a random order."""
    missed = np.ones((len(mates), len(ks)))
    for position, k in enumerate(ks):
        for place in range(min(k, pool)):
            remaining = pool - place
            missed[:, position] *= np.maximum(remaining - mates, 0) / remaining
    return 1 - missed
