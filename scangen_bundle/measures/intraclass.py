"""ICC(2,1) from weighted sums: two-way random effects, absolute agreement, single rater.

P. Shrout, J. Fleiss, Psychological Bulletin 86, 1979.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio

NO_VARIANCE = 1e-24  # variances of scores in 0..1 below this are rounding


def intraclass_columns(table: np.ndarray, complete: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Columns whose sums `intraclass_correlation` needs.

    Args:
        table: [M, S] values of specimens on scanners.
        complete: [M] bool, the specimens that enter.
        name: of the values.
    """
    centred = table - (np.mean(table[complete]) if complete.any() else 0.0)  # sums of squares keep their digits
    return {
        f"{name}: squared mean": centred.mean(axis=1) ** 2,
        f"{name}: squares": (centred**2).sum(axis=1),
        f"{name}: by scanner": centred,
    }


def intraclass_correlation(sums: Sums, name: str, raters: int) -> np.ndarray:
    """ICC(2,1) [R]; NaN with fewer than two specimens or scanners, and where the values do not vary."""
    if raters < 2:
        return np.full(len(sums.weights), np.nan)
    usable = sums["specimens"] >= 2
    count = np.where(usable, sums["specimens"], 2.0)
    means = sums[f"{name}: by scanner"] / count
    grand = means.mean(axis=0)
    rows = raters * (sums[f"{name}: squared mean"] - count * grand**2)
    columns = count * ((means - grand) ** 2).sum(axis=0)
    total = sums[f"{name}: squares"] - count * raters * grand**2
    between, scanner = rows / (count - 1), columns / (raters - 1)
    error = (total - rows - columns) / ((count - 1) * (raters - 1))
    usable &= total > NO_VARIANCE * count * raters
    total_variance = between + (raters - 1) * error + raters * (scanner - error) / count
    return ratio(between - error, np.where(usable, total_variance, 0))
