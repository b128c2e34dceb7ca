"""Platt's logistic recalibration of probabilities, each class against the rest."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

CLIP = 1e-6


def fit_platt(probability: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Intercept a and slope b >= 0 of p' = sigmoid(a + b logit p), for probabilities [N] and labels [N] in {0, 1}.

    Fitted on Platt's smoothed targets (N+ + 1) / (N+ + 2) and 1 / (N- + 2), so that it is finite where the classes are
    parted completely (J. Platt, Advances in Large Margin Classifiers, 1999).
    """
    from scipy.optimize import minimize

    positives = int((label == 1).sum())
    negatives = len(label) - positives
    target = np.where(label == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    x = logit(np.clip(probability, CLIP, 1 - CLIP))

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        z = line[0] + line[1] * x
        losses = np.logaddexp(0, z) - target * z
        gap = expit(z) - target
        return float(losses.sum()), np.array([gap.sum(), (gap * x).sum()])

    # A negative slope would turn the model's order round: no recalibration may do that.
    fit = minimize(loss, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(None, None), (0.0, None)])
    return float(fit.x[0]), float(fit.x[1])


def recalibrate(probability: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Recalibrated probabilities [N, C], rows summing to 1.

    Args:
        probability: [N, C].
        lines: [C, 2] intercept and slope of each class; [1, 2], of class 1, for two classes.
    """
    x = logit(np.clip(probability, CLIP, 1 - CLIP))
    if len(lines) == 1:
        intercept, slope = lines[0]
        positive = expit(intercept + slope * x[:, 1])
        return np.stack([1 - positive, positive], axis=1)
    raw = expit(lines[:, 0] + lines[:, 1] * x)
    return raw / raw.sum(axis=1, keepdims=True)
