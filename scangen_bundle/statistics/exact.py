"""Intervals of figures at 0 or 1, where every resample says the same and a bootstrap interval would have no width.

A share of independent patients at 0 or 1 has the exact binomial interval (C. Clopper, E. Pearson, Biometrika 26, 1934):
from (alpha/2)^(1/n) to 1 for n of n. It is a little too wide, never too narrow.

An AUROC of 1 is such a share, too. The patients form n disjoint pairs of a positive and a negative patient. The pairs are
independent, each is in the right order with a probability equal to the AUROC, and all n of them are. No distribution is
assumed. Bootstrap and DeLong are known to fail here (N. Obuchowski, M. Lieber, "Confidence bounds when the estimated ROC
area is 1.0", Academic Radiology 9, 2002); narrower bounds need a model of the scores (R. Newcombe, Statistics in Medicine 25,
2006, methods 4 and 5).

A mean or the worst of several scanners at 0 or 1 has the interval of its scanner with the fewest trials: that all of them
are perfect is no more probable than that this one would be at their mean.
"""

from __future__ import annotations

import numpy as np

EXACT = "exact"


def exact_interval(value: float, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a share that is 0 or 1 of `trials` independent ones.

    Raises:
        ValueError: another value, or no trial.
    """
    if value not in (0.0, 1.0) or trials < 1:
        raise ValueError(f"expected 0 or 1 of at least one trial, got {value} of {trials}")
    bound = float(((1 - confidence) / 2) ** (1 / trials))
    return (bound, 1.0) if value == 1 else (0.0, 1 - bound)


def disjoint_pairs(positive: np.ndarray, negative: np.ndarray) -> int:
    """How many pairs of two patients, one with a positive and one with a negative scan, can be made with each patient once.

    Args:
        positive, negative: [P] bool, whether the patient has such scans; some may have both.
    """
    return int(min(positive.sum(), negative.sum(), (positive | negative).sum() // 2))
