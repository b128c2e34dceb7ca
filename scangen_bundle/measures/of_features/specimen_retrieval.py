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
    found = specimen_retrieval(scans.values, scans.specimen, scans.scanner, KS)
    if not len(found.query):
        raise UndefinedMeasure("no specimen was scanned on two scanners")
    patient, ones = scans.patient[found.query], np.ones(len(found.query))
    statistics, baselines = [], {}
    for column, k in enumerate(KS):
        key = KEY.format(k)
        statistics.append(MeanOfRatios(key, found.hit[:, column], ones, patient, scans.patients, share=True))
        baselines[key] = float(found.chance[:, column].mean())
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
    import torch

    unit = finite_unit_rows(embeddings)
    specimen, scanner = np.asarray(specimen), np.asarray(scanner)
    queries, targets, hits, chances = [], [], [], []
    steps = np.asarray(ks, dtype=np.float64)
    for target in np.unique(scanner):
        pool = np.flatnonzero(scanner == target)
        pool = pool[np.argsort(specimen[pool], kind="stable")]  # scans of a specimen side by side
        first = np.searchsorted(specimen[pool], specimen, "left")
        last = np.searchsorted(specimen[pool], specimen, "right")
        query = np.flatnonzero((scanner != target) & (last > first))
        candidates = torch.from_numpy(unit[pool]).T.contiguous()
        rows = max(1, BLOCK_ELEMENTS // len(pool))
        memory = torch.empty((min(rows, len(query)), len(pool)))
        for start in range(0, len(query), rows):
            some = query[start : start + rows]
            block = torch.mm(torch.from_numpy(unit[some]), candidates, out=memory[: len(some)]).numpy()
            mates_found = last[some] - first[some]
            starts = np.cumsum(mates_found) - mates_found
            row, column = run_cells(first[some], last[some])
            best = np.maximum.reduceat(block[row, column], starts)[:, None]
            block[row, column] = -np.inf  # mates do not compete
            # counted by NumPy: ten times as fast as PyTorch sums truth values
            nearer = np.count_nonzero(block > best, axis=1)
            ties = np.count_nonzero(block == best, axis=1)
            queries.append(some)
            targets.append(np.full(len(some), target))
            hits.append(np.clip((steps - nearer[:, None]) / (ties[:, None] + 1), 0, 1))
            chances.append(_chance(len(pool), mates_found, ks))
    if not queries:
        nothing = np.zeros((0, len(steps)))
        return Retrieval(np.zeros(0, int), np.zeros(0, int), nothing, nothing, tuple(ks))
    return Retrieval(
        np.concatenate(queries), np.concatenate(targets), np.concatenate(hits), np.concatenate(chances), tuple(ks)
    )


def _chance(pool: int, mates: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Probability [Q, K] that one of `mates` [Q] of `pool` scans is among the first k of a random order."""
    missed = np.ones((len(mates), len(ks)))
    for position, k in enumerate(ks):
        for place in range(min(k, pool)):
            missed[:, position] *= np.maximum(pool - place - mates, 0) / (pool - place)
    return 1 - missed
