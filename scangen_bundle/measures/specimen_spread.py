"""How far the scores of one specimen lie apart over its scanners, and whether its class changes.

Scores form a table [M specimens, S scanners] with gaps; several scans of a specimen on one scanner count as their mean.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.statistics.bootstrap import ratio


def score_table(specimen: np.ndarray, scanner: np.ndarray, score: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Scores [N] as a table [M specimens, S scanners], NaN where there is no scan, the mean where there are several."""
    cell = specimen * shape[1] + scanner
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    total = np.bincount(cell, weights=score, minlength=shape[0] * shape[1])
    return ratio(total, count).reshape(shape)


def specimen_spread(scores: np.ndarray) -> dict[str, np.ndarray]:
    """`cov`, `sd`, `score_range` and `abs_difference` [M] of each specimen of a table [M, S]; NaN with fewer than two scans.

    The mean over pairs of |x_a - x_b| is taken from the sorted scores: x_(k) is added k times and subtracted n-1-k times.
    """
    ordered = np.sort(scores, axis=1)  # NaN go last
    count = np.isfinite(scores).sum(axis=1)
    several = count >= 2
    filled = np.nan_to_num(ordered)
    mean = ratio(filled.sum(axis=1), count)
    deviation = np.where(np.isfinite(ordered), ordered - mean[:, None], 0.0)
    last = np.maximum(count - 1, 0)
    largest = ordered[np.arange(len(ordered)), last]
    spread = np.where(several, largest - ordered[:, 0], np.nan)
    sd = np.sqrt(ratio((deviation**2).sum(axis=1), np.where(several, count - 1, 0)))
    sd = np.where(spread == 0, 0.0, sd)  # equal scores: no rounding left in
    rank = 2 * np.arange(scores.shape[1])[None, :] - (count[:, None] - 1)
    pairs = np.where(several, count * (count - 1) / 2, 0)
    return {
        "cov": ratio(sd, np.where(several, mean, 0.0)),
        "sd": sd,
        "score_range": spread,
        "abs_difference": ratio((filled * rank).sum(axis=1), pairs),
    }


def coefficient_of_variation(scores: np.ndarray) -> float:
    """Mean over specimens of sd / mean (ddof = 1) of a table [M, S]; NaN where no specimen has two scans."""
    cov = specimen_spread(np.asarray(scores, dtype=np.float64))["cov"]
    return float(np.nanmean(cov)) if np.isfinite(cov).any() else float("nan")


def specimen_flips(classes: np.ndarray) -> np.ndarray:
    """[M] 1 where a specimen's class differs between any two of its scanners, else 0; NaN with fewer than two.

    Args:
        classes: [M, S] float, NaN where there is no scan.
    """
    there = np.isfinite(classes)
    low = np.where(there, classes, np.inf).min(axis=1)
    high = np.where(there, classes, -np.inf).max(axis=1)
    return np.where(there.sum(axis=1) >= 2, (low != high).astype(np.float64), np.nan)


def flip_rate(classes: np.ndarray) -> float:
    """Share of the specimens of a table [M, S] whose class differs between any two of their scanners; NaN without pairs."""
    flips = specimen_flips(np.asarray(classes, dtype=np.float64))
    return float(np.nanmean(flips)) if np.isfinite(flips).any() else float("nan")
