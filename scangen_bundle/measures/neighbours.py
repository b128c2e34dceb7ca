"""Nearest neighbours by cosine, never from the query's own group, in blocks of bounded memory; and what they share.

On paired scans the same glass on another scanner would be too easy a neighbour, and a patient's other slides are not
independent: neighbours of a scan are of other patients.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.paired_features import unit_rows
from scangen_bundle.measures.points import Points

ROBUSTNESS_KS = (1, 3, 5, 7, 9, 11, 21, 31, 41, 51, 61)  # numbers of neighbours of which the best is chosen

BLOCK_ELEMENTS = 25_000_000  # similarities in a block: 100 MB of float32
UNIT_ROWS = 4096


def nearest(embeddings: np.ndarray, group: np.ndarray, k: int) -> np.ndarray:
    """Rows of the `k` most similar embeddings of other groups, nearest first: int64 [N, k], -1 where there are no more.

    Equal similarities come in any order. On unit rows the order by cosine is that by Euclidean distance.

    Args:
        embeddings: [N, E].
        group: [N] int64; neighbours of the query's own group (its patient, say) are left out.
        k: at least 1.

    Raises:
        ValueError: k below 1, or an embedding is not finite.
    """
    import torch

    if k < 1:
        raise ValueError(f"expected at least one neighbour, got k = {k}")
    group = np.asarray(group)
    order = np.argsort(group, kind="stable")  # members of a group side by side: each query leaves out one run
    unit = torch.from_numpy(finite_unit_rows(embeddings)[order])
    first = np.searchsorted(group[order], group[order], "left")
    last = np.searchsorted(group[order], group[order], "right")
    total, depth = len(unit), min(k, len(unit))
    neighbours = np.full((total, k), -1, dtype=np.int64)
    rows = max(1, BLOCK_ELEMENTS // total)
    memory = torch.empty((min(rows, total), total))
    for start in range(0, total, rows):
        stop = min(total, start + rows)
        similarity = torch.mm(unit[start:stop], unit.T, out=memory[: stop - start])
        row, column = run_cells(first[start:stop], last[start:stop])
        similarity[torch.from_numpy(row), torch.from_numpy(column)] = -torch.inf
        best = similarity.topk(depth, dim=1)
        index = order[best.indices.numpy()]
        index[best.values.numpy() == -np.inf] = -1
        neighbours[order[start:stop], :depth] = index
    return neighbours


def run_cells(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, int64 each, of the cells of a block whose row i has the run of columns first[i] to last[i] - 1."""
    length = last - first
    row = np.repeat(np.arange(len(length)), length)
    position = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)  # within the run
    return row, first[row] + position


def finite_unit_rows(embeddings: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32 [N, E].

    Raises:
        ValueError: no rows, another number of axes, or a value that is not finite.
    """
    embeddings = np.asarray(embeddings)
    if embeddings.ndim != 2 or not len(embeddings):
        raise ValueError(f"expected embeddings [N, E], got the shape {embeddings.shape}")
    bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(bad):
        raise ValueError(f"{len(bad)} embeddings have values that are not finite, first at row {bad[0] + 1}")
    unit = np.empty(embeddings.shape, dtype=np.float32)
    for start in range(0, len(unit), UNIT_ROWS):  # the float64 of the norms is held for some rows only
        unit[start : start + UNIT_ROWS] = unit_rows(embeddings[start : start + UNIT_ROWS])
    return unit


def vote(neighbours: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Most frequent class of each row's neighbours, of equally frequent ones the nearest's: int64 [N], -1 without neighbours.

    Args:
        neighbours: rows [N, k], nearest first, -1 for none.
        classes: [N] int64 from 0.
    """
    count = int(classes.max()) + 1
    votes = np.zeros((len(neighbours), count))
    for place in range(neighbours.shape[1]):
        rows = np.flatnonzero(neighbours[:, place] >= 0)
        classes_there = classes[neighbours[rows, place]]
        votes[rows, classes_there] += 1 + 2.0 ** -(place + 10)  # of a draw, the nearest neighbour's class wins
    return np.where(votes.any(axis=1), votes.argmax(axis=1), -1)


@dataclass(frozen=True)
class NeighbourCounts:
    """Neighbours of each scan by whether they share its label and its scanner: [N] each, among the first k.

    Attributes:
        ss: same label, same scanner.
        so: same label, other scanner.
        os: other label, same scanner.
        oo: other label, other scanner.
        k: neighbours looked at.
    """

    ss: np.ndarray
    so: np.ndarray
    os: np.ndarray
    oo: np.ndarray
    k: int


def neighbour_counts(neighbours: np.ndarray, label: np.ndarray, scanner: np.ndarray, k: int) -> NeighbourCounts:
    """Count the first `k` of the neighbours [N, >= k] (rows, -1 for none) by shared label [N] and scanner [N]."""
    nearest_rows = neighbours[:, :k]
    real = nearest_rows >= 0
    same_label = (label[nearest_rows] == label[:, None]) & real
    same_scanner = (scanner[nearest_rows] == scanner[:, None]) & real
    return NeighbourCounts(
        ss=(same_label & same_scanner).sum(axis=1),
        so=(same_label & ~same_scanner).sum(axis=1),
        os=(~same_label & same_scanner).sum(axis=1),
        oo=(real & ~same_label & ~same_scanner).sum(axis=1),
        k=k,
    )


def all_other_counts(label: np.ndarray, scanner: np.ndarray, group: np.ndarray) -> NeighbourCounts:
    """Counts where every scan of another group is a neighbour: what random neighbours give on average.

    Args:
        label, scanner, group: [N] int64.
    """

    def others(*names: np.ndarray) -> np.ndarray:
        """How many scans of other groups share all these names with each scan: [N]."""
        return _alike(*names) - _alike(*names, group)

    of_both, of_label, of_scanner = others(label, scanner), others(label), others(scanner)
    every = len(label) - _alike(group)
    so, os = of_label - of_both, of_scanner - of_both
    return NeighbourCounts(ss=of_both, so=so, os=os, oo=every - of_both - so - os, k=len(label))


def _alike(*names: np.ndarray) -> np.ndarray:
    """How many scans, itself included, share all these names with each scan: [N]."""
    _, group, count = np.unique(np.stack(names, axis=1), axis=0, return_inverse=True, return_counts=True)
    return count[group.reshape(-1)].astype(np.int64)


def choose_k(neighbours: np.ndarray, label: np.ndarray, ks: Sequence[int]) -> int:
    """The k of `ks` with the best balanced accuracy of the label's vote, the smallest on a draw.

    Args:
        neighbours: rows [N, >= max(ks)], nearest first, -1 for none.
        label: [N] int64 from 0.
    """
    ordered = sorted(ks)
    scored = np.flatnonzero(neighbours[:, 0] >= 0)
    if not len(scored):
        return ordered[0]
    truth = label[scored]
    accuracy = []
    for k in ordered:
        right = vote(neighbours[scored, :k], label) == truth
        recalls = [right[truth == c].mean() for c in np.unique(truth)]
        accuracy.append(np.mean(recalls))
    return ordered[int(np.argmax(accuracy))]


@dataclass(frozen=True)
class LabelledNeighbours:
    """The neighbours of labelled scans or tiles, each of another patient.

    Attributes:
        points: the labelled ones, on at least two scanners.
        label: [N] int64, their classes numbered from 0.
        rows: [N, K] rows of the neighbours, nearest first, K the largest k.
        counts: what the first k share, for each k.
        best_k: the k with the best vote for the label, see `choose_k`.
    """

    points: Points
    label: np.ndarray
    rows: np.ndarray
    counts: dict[int, NeighbourCounts]
    best_k: int

    def random_counts(self) -> NeighbourCounts:
        """What random neighbours share on average."""
        return all_other_counts(self.label, self.points.scanner, self.points.patient)


def labelled_neighbours(points: Points, further_ks: Iterable[int] = ()) -> LabelledNeighbours:
    """Find the neighbours of labelled points at all of `ROBUSTNESS_KS` that the other patients can fill.

    Args:
        points: all labelled, see `Points.labelled`.
        further_ks: more numbers of neighbours.

    Raises:
        UndefinedMeasure: one scanner only.
    """
    if points.scanners < 2:
        raise UndefinedMeasure("one scanner only")
    others = len(points) - int(np.bincount(points.patient).max())
    ks = [k for k in sorted({*ROBUSTNESS_KS, *further_ks}) if k <= others]
    label = points.class_codes()
    rows = nearest(points.values, points.patient, max(ks))
    counts = {k: neighbour_counts(rows, label, points.scanner, k) for k in ks}
    return LabelledNeighbours(points, label, rows, counts, choose_k(rows, label, ks))
