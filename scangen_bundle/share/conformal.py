"""Sets of classes that hold the true one with a stated frequency: split conformal prediction, by scanner.

The score of a scan is 1 - p(true class) (J. Lei, M. G'Sell et al., JASA 113, 2018); the set holds the classes whose 1 - p is at
most the quantile. Patients are the exchangeable unit: a patient with several scans counts once, with the largest score.
Conditioning on the scanner is Mondrian conformal prediction (V. Vovk, Machine Learning 92, 2013).
"""

from __future__ import annotations

import math

import numpy as np


def conformal_quantile(score: np.ndarray, level: float) -> float:
    """The ceil((n + 1) level)-th smallest of scores [n]; infinity where n is too small for the level."""
    rank = math.ceil((len(score) + 1) * level - 1e-9)
    return float(np.sort(score)[rank - 1]) if 1 <= rank <= len(score) else math.inf


def patient_scores(probability: np.ndarray, label: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """The largest 1 - p(true class) of each patient, [P].

    Args:
        probability: [N, C].
        label: [N] int, all 0 or more.
        patient: [N] ids.
    """
    score = 1.0 - probability[np.arange(len(label)), label]
    _, row = np.unique(patient, return_inverse=True)
    worst = np.full(row.max(initial=-1) + 1, -np.inf)
    np.maximum.at(worst, row, score)
    return worst


def prediction_set(probability: np.ndarray, quantile: float) -> list[int]:
    """Classes of probabilities [C] that the quantile leaves possible."""
    return [c for c, p in enumerate(probability) if 1.0 - float(p) <= quantile]
