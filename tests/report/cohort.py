"""Simulated predictions with known properties, for the report's tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scangen_bundle.measures import evaluate_predictions

SCANNERS = ("Alpha 1", "Beta & <b>", "Gamma/3")  # names that need escaping


def simulate(specimens: int = 40, scanners=SCANNERS, noise: float = 0.5, seed: int = 0) -> pd.DataFrame:
    """One scan per specimen and scanner, two specimens per patient, later scanners with higher scores."""
    generator = np.random.default_rng(seed)
    rows = []
    for i in range(specimens):
        label = (i // 2) % 2
        base = generator.normal(1.6 * label - 0.8, 1)
        for j, scanner in enumerate(scanners):
            score = 1 / (1 + np.exp(-(base + 0.5 * j + generator.normal(0, noise))))
            rows.append((f"s{i:03d}-{j}", f"s{i:03d}", f"p{i // 2:03d}", scanner, label, score))
    names = ["slide_id", "specimen_id", "patient_id", "scanner", "label", "probability"]
    return pd.DataFrame(rows, columns=names)


def evaluate(predictions: pd.DataFrame, unseen=(), **options) -> dict:
    return evaluate_predictions(predictions, resamples=40, unseen_scanners=unseen, **options)
