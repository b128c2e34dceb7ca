"""Tables of scans and predictions that the studies' tests draw at random."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scangen_bundle.measures.predictions import Predictions, check_predictions

SCANNERS = ("ga", "gb", "gc", "gd")


def scans(patients: int = 24, scanners: tuple[str, ...] = SCANNERS) -> pd.DataFrame:
    """A manifest: every third patient has two specimens, all on each scanner, labels in turn."""
    rows = []
    for patient in range(patients):
        for specimen in range(2 if patient % 3 == 2 else 1):
            name = f"p{patient:02d}s{specimen}"
            for scanner in scanners:
                rows.append((f"{name}-{scanner}", name, f"p{patient:02d}", scanner, patient % 2, "", ""))
    columns = ["slide_id", "specimen_id", "patient_id", "scanner", "label", "split", "features_path"]
    return pd.DataFrame(rows, columns=columns)


def predictions(
    table: pd.DataFrame, seed: int = 0, effect: float = 1.5, noise: float = 0.7, shift: float = 0.0
) -> pd.DataFrame:
    """The table with a probability: effect of the label, of the specimen, of the scan."""
    rng = np.random.default_rng(seed)
    specimens = sorted(table["specimen_id"].unique())
    of_specimen = dict(zip(specimens, rng.standard_normal(len(specimens)), strict=True))
    logit = effect * (2 * table["label"] - 1) + table["specimen_id"].map(of_specimen)
    logit = logit + noise * rng.standard_normal(len(table)) + shift
    return table.assign(probability=1 / (1 + np.exp(-logit)))


def checked(table: pd.DataFrame) -> Predictions:
    return check_predictions(table)
