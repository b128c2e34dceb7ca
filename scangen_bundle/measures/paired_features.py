"""Similarity of the features of the same tissue on two scanners; row i of both arrays is the same place.

Every measure comes with its baseline: a collapsed feature space has a high similarity and no information.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RETRIEVAL_KS = (1, 3, 5, 10)  # the k of top-k retrieval, as plism-benchmark has them
TIE = 1e-6  # two cosines in float32 that differ by less are equal


def unit_rows(features: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32 [n, D]; rows of zeros stay zero.

    The norm is taken in float64: squares of half-precision features overflow.
    """
    norm = np.linalg.norm(np.asarray(features, dtype=np.float64), axis=1, keepdims=True)
    return np.asarray(features / np.where(norm > 0, norm, 1), dtype=np.float32)


def paired_cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of each pair of rows, float64 [n]; their mean is plism-benchmark's "cosine similarity".

    Args:
        a, b: unit rows [n, D].
    """
    return np.einsum("ij,ij->i", a, b, dtype=np.float64)


def unpaired_cosine(a: np.ndarray) -> float:
    """Mean cosine of two different rows: what two unrelated places on one scanner have in common.

    For unit rows, the mean over all pairs i != j is (|sum_i a_i|^2 - n) / (n (n - 1)).

    Args:
        a: unit rows [n, D].
    """
    n = len(a)
    if n < 2:
        return float("nan")
    total = a.sum(axis=0, dtype=np.float64)
    squares = float(np.einsum("ij,ij->", a, a, dtype=np.float64))
    return (float(total @ total) - squares) / (n * (n - 1))


def own_neighbours(a: np.ndarray, most: int, rows: int = 1024, device: str = "cpu") -> np.ndarray:
    """The `most` highest cosines of each row to the other rows of its own array, highest first: float32 [n, most].

    They serve every pair of slides that this one is in.

    Args:
        a: unit rows [n, D].
        most: how many, at least the largest k that will be asked for.
        rows: rows in a block, which bounds memory at rows x n.
        device: for the products.
    """
    import torch

    tensor = torch.from_numpy(a).to(device)
    most = min(most, len(a) - 1)
    best = np.empty((len(a), most), dtype=np.float32)
    for start in range(0, len(a), rows):
        block = tensor[start : start + rows] @ tensor.T
        index = torch.arange(len(block), device=device)
        block[index, index + start] = -torch.inf
        best[start : start + rows] = block.topk(most, dim=1).values.cpu().numpy()
    return best


def retrieval_hits(
    a: np.ndarray,
    b: np.ndarray,
    own_a: np.ndarray,
    own_b: np.ndarray,
    ks: tuple[int, ...] = RETRIEVAL_KS,
    rows: int = 512,
    device: str = "cpu",
) -> np.ndarray:
    """Is the same place of the other scanner among the first k of all other rows of both: float64 [n, len(ks)], 0 to 1.

    Its mean over rows is the top-k accuracy of plism-benchmark (github.com/owkin/plism-benchmark): rank all 2n - 1 other
    rows of the stacked arrays by cosine to row i of one; a hit is row i of the other among the first k; mean over both
    directions. Chance is about k / (2n - 1). A tie counts by chance: with g rows strictly closer and t equal ones besides,
    it hits with probability min(1, max(0, k - g) / (t + 1)).

    One block product of a and b serves both directions; what a row's own array adds comes from `own_neighbours`.

    Args:
        a, b: unit rows [n, D], row i of both from one place.
        own_a, own_b: `own_neighbours` of each with at least max(ks) columns (or n - 1, if that is fewer).
        ks: numbers of neighbours.
        rows: rows in a block.
        device: for the products.
    """
    if a.shape != b.shape:
        raise ValueError(f"expected two arrays of one shape, got {a.shape} and {b.shape}")
    enough = min(max(ks), len(a) - 1)
    if min(own_a.shape[1], own_b.shape[1]) < enough:
        raise ValueError(f"expected {enough} own neighbours, got {own_a.shape[1]} and {own_b.shape[1]}")
    same = paired_cosine(a, b).astype(np.float32)
    closer, not_further = _count_closer(a, b, same, rows, device)
    hits = np.zeros((len(a), len(ks)))
    for direction, cosines in enumerate((own_a, own_b)):
        # Where more own rows are closer than were kept, the count is too small, but then it exceeds every k already.
        greater = closer[direction] + (cosines > (same + TIE)[:, None]).sum(axis=1)
        at_least = not_further[direction] + (cosines >= (same - TIE)[:, None]).sum(axis=1)
        hits += share_of_hits(greater, at_least - greater, ks) / 2
    return hits


def _count_closer(
    a: np.ndarray, b: np.ndarray, same: np.ndarray, rows: int, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Number of other rows of the other array that are closer than the place itself, and not further: int64 [2, n] each.

    The first axis is the direction: from a to b, from b to a.

    Args:
        a, b: unit rows [n, D].
        same: cosine of each pair of rows [n].
        rows: rows in a block.
        device: for the products.
    """
    import torch

    places = len(a)
    left = torch.from_numpy(a).to(device)
    right = torch.from_numpy(b).to(device)
    above = torch.from_numpy(same + TIE).to(device)
    below = torch.from_numpy(same - TIE).to(device)
    closer = torch.zeros((2, places), dtype=torch.int64, device=device)
    not_further = torch.zeros_like(closer)
    # Comparisons as 0 and 1 in float32: summed twice as fast as bool, and exact.
    memory = torch.empty((min(rows, places), places), device=device)
    for start in range(0, places, rows):
        stop = min(places, start + rows)
        block = left[start:stop] @ right.T
        truth = memory[: stop - start]
        index = torch.arange(stop - start, device=device)
        block[index, index + start] = -torch.inf  # the place itself does not compete
        closer[0, start:stop] = torch.gt(block, above[start:stop, None], out=truth).sum(dim=1)
        not_further[0, start:stop] = torch.ge(block, below[start:stop, None], out=truth).sum(dim=1)
        closer[1] += torch.gt(block, above[None], out=truth).sum(dim=0).long()
        not_further[1] += torch.ge(block, below[None], out=truth).sum(dim=0).long()
    return closer.cpu().numpy(), not_further.cpu().numpy()


def share_of_hits(greater: np.ndarray, ties: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Probability [n, len(ks)] of being among the first k, with `greater` [n] rows closer and `ties` [n] as close."""
    places_left = np.asarray(ks) - greater[:, None]
    return np.clip(places_left / (ties[:, None] + 1), 0, 1)
