"""Probes: how well does a classifier predict a class from features, on patients that it was not trained on?"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.neighbours import nearest, vote


def linear_probe(
    features: np.ndarray, target: np.ndarray, patient: np.ndarray, folds: int = 5, seed: int = 0
) -> np.ndarray:
    """Out-of-fold predictions [N] of `target` [N] by a logistic regression on standardised features [N, F].

    Folds keep patients together and the classes' shares alike; classes weigh equally; L2 penalty with C = 1.

    Raises:
        ValueError: one class only, or fewer patients than folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(target)) < 2:
        raise ValueError("a probe needs at least two classes")
    patients = len(np.unique(patient))
    if patients < folds:
        raise ValueError(f"a probe in {folds} folds needs as many patients, there are {patients}")
    features = np.asarray(features, dtype=np.float64)
    guess = np.empty_like(target)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for train, test in split.split(features, target, patient):
        probe = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
        probe.fit(features[train], target[train])
        guess[test] = probe.predict(features[test])
    return guess


def knn_probe(embeddings: np.ndarray, target: np.ndarray, patient: np.ndarray, k: int = 5) -> np.ndarray:
    """Predictions [N] of `target` [N] (int64 from 0) by the `k` nearest scans of other patients; -1 where there is none."""
    return vote(nearest(embeddings, patient, k), target)
