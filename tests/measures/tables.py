"""A cohort with known scanner effects for the metrics' tests."""

import numpy as np
import pandas as pd

from scangen_bundle.measures import PredictionData, PredictionStatistic, check_predictions, prediction_measures

COLUMNS = ["slide_id", "specimen_id", "patient_id", "scanner", "label", "probability"]


def cohort(specimens=60, scanners="ABC", seed=0, per_patient=2, missing=0.0, decimals=None):
    """One row per scan; `per_patient` specimens per patient, labels at random, a share of the scans missing."""
    generator = np.random.default_rng(seed)
    rows = []
    for m in range(specimens):
        label = int(generator.random() < 0.45)
        latent = generator.normal() + 1.2 * label - 0.6
        for s, scanner in enumerate(scanners):
            score = 1 / (1 + np.exp(-(latent + 0.5 * generator.normal() + 0.2 * s)))
            if generator.random() >= missing:
                rows.append((f"s{m}{scanner}", f"m{m}", f"p{m // per_patient}", scanner, label, score))
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.round({"probability": decimals}) if decimals is not None else table


def multi_class(specimens=90, scanners="ABC", classes=3, seed=0):
    table = cohort(specimens, scanners, seed)
    generator = np.random.default_rng(seed + 1)
    labels = generator.integers(classes, size=specimens)
    table["label"] = labels[table.specimen_id.str[1:].astype(int)]
    logits = generator.normal(size=(len(table), classes)) + np.eye(classes)[table["label"]]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return table.drop(columns="probability").assign(**{f"probability_{c}": p[:, c] for c in range(classes)})


def statistic_of(table, names, threshold=0.5, **options):
    """The measures called `names` of a table, or of checked predictions."""
    checked = check_predictions(table) if isinstance(table, pd.DataFrame) else table
    return PredictionStatistic(PredictionData(checked, threshold, **options), names)


def observed(table, names, threshold=0.5, **options):
    """Values of the observed data by key."""
    return statistic_of(table, names, threshold, **options).observed()


def measures_of(*groups):
    """Keys of the groups' measures."""
    return [key for key, measure in prediction_measures().items() if measure.group in groups]


def repeated(table, weights, patients):
    """The table in which every patient's rows occur as often as its weight: what a resample means."""
    count = dict(zip(patients, weights, strict=True))
    parts = []
    for patient, rows in table.groupby("patient_id"):
        for copy in range(count[patient]):
            new = rows.copy()
            for column in ("slide_id", "specimen_id", "patient_id"):
                new[column] = new[column] + f"#{copy}"
            parts.append(new)
    return pd.concat(parts, ignore_index=True)
