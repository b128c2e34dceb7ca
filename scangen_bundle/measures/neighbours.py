"""Nearest neighbours in embedding space by cosine, never from the query's own group, in blocks of bounded memory."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.paired_features import unit_rows

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
    total, k_found = len(unit), min(k, len(unit))
    found = np.full((total, k), -1, dtype=np.int64)
    rows = max(1, BLOCK_ELEMENTS // total)
    block = torch.empty((min(rows, total), total))
    for start in range(0, total, rows):
        stop = min(total, start + rows)
        part = torch.mm(unit[start:stop], unit.T, out=block[: stop - start])
        row, column = run_cells(first[start:stop], last[start:stop])
        part[torch.from_numpy(row), torch.from_numpy(column)] = -torch.inf
        best = part.topk(k_found, dim=1)
        index = order[best.indices.numpy()]
        index[best.values.numpy() == -np.inf] = -1
        found[order[start:stop], :k_found] = index
    return found


def run_cells(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, int64 each, of the cells of a block whose row i has the run of columns first[i] to last[i] - 1."""
    length = last - first
    row = np.repeat(np.arange(len(length)), length)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(length) - length - first, length)


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
        votes[rows, classes[neighbours[rows, place]]] += 1 + 2.0 ** -(place + 10)
    return np.where(votes.any(axis=1), votes.argmax(axis=1), -1)
