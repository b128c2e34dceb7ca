"""Average performance drop: what accuracy is lost as class and scanner (or centre) grow correlated in training."""

from __future__ import annotations

import numpy as np


def performance_drops(accuracies: np.ndarray) -> np.ndarray:
    """Relative drop of each repeat [I]: mean over the splits s >= 1 of accuracy_s / accuracy_0, minus 1; 0 = no drop.

    The measure of PathoROB (github.com/bifold-pathomics/PathoROB): split 0 is uncorrelated, later ones ever more; the
    average performance drop is the mean over repeats. A ratio of means differs in the third digit.

    Args:
        accuracies: [S, I] of S >= 2 splits and I repeats; a repeat with accuracy 0 at split 0 gives NaN.

    Raises:
        ValueError: another shape.
    """
    accuracies = np.asarray(accuracies, dtype=np.float64)
    if accuracies.ndim != 2 or accuracies.shape[0] < 2 or not accuracies.shape[1]:
        raise ValueError(f"expected accuracies of at least two splits and one repeat [S, I], got {accuracies.shape}")
    start = np.where(accuracies[0] > 0, accuracies[0], np.nan)
    return (accuracies[1:] / start).mean(axis=0) - 1


def average_performance_drop(accuracies: np.ndarray) -> float:
    """Mean of `performance_drops` over the repeats."""
    return float(performance_drops(accuracies).mean())
