"""Beside plain loops, on gappy tables, and under weights that repeat patients."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_statistic import PredictionStatistic
from scangen_bundle.measures.predictions import check_predictions
from tests.studies.tables import predictions, scans


def statistic(table, unseen, threshold=0.5):
    return PredictionStatistic(
        PredictionData(check_predictions(table), threshold, unseen=unseen), ["unseen_disagreement"]
    )


def loop(table: pd.DataFrame, scanner: str, unseen: list[str], threshold: float = 0.5) -> float:
    differ = []
    for _, rows in table.groupby("specimen_id"):
        trained = [math.log(p / (1 - p)) for p in rows.loc[~rows["scanner"].isin(unseen), "probability"]]
        of_scanner = rows.loc[rows["scanner"] == scanner, "probability"].tolist()
        if trained and of_scanner:
            consensus = sum(trained) / len(trained) >= math.log(threshold / (1 - threshold))
            differ.append(consensus != (of_scanner[0] >= threshold))
    return sum(differ) / len(differ)


def repeated(table: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
    """The table in which patient number i stands `weights[i]` times, each time as a patient of its own."""
    parts = []
    for patient, weight in zip(sorted(table["patient_id"].unique()), weights, strict=True):
        rows = table[table["patient_id"] == patient]
        for turn in range(weight):
            renamed = {name: rows[name] + f"_{turn}" for name in ("slide_id", "specimen_id", "patient_id")}
            parts.append(rows.assign(**renamed))
    return pd.concat(parts)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_it_is_the_share_of_a_loop(seed, threshold):
    rng = np.random.default_rng(seed)
    table = predictions(scans(), seed)
    table = table[rng.random(len(table)) > 0.2]
    weights = rng.integers(0, 3, (1, 24)).astype(np.int32)
    values = statistic(table, ["gc", "gd"], threshold)(weights)
    same = repeated(table, weights[0])
    shares = [loop(same, scanner, ["gc", "gd"], threshold) for scanner in ("gc", "gd")]
    assert values["unseen_disagreement/gc"][0] == pytest.approx(shares[0])
    assert values["unseen_disagreement/gd"][0] == pytest.approx(shares[1])
    assert values["unseen_disagreement/mean"][0] == pytest.approx(np.mean(shares))


def test_of_several_classes_the_largest_mean_logit_counts():
    table = scans(12)
    probability = np.random.default_rng(0).dirichlet([1, 1, 1], len(table))
    columns = [f"probability_{c}" for c in range(3)]
    table = table.assign(**dict(zip(columns, probability.T, strict=True)))
    expected = []
    for _, rows in table.groupby("specimen_id"):
        values = rows[columns].to_numpy()
        logits = np.log(values / (1 - values))
        is_unseen = (rows["scanner"] == "ga").to_numpy()
        expected.append(logits[~is_unseen].mean(axis=0).argmax() != values[is_unseen][0].argmax())
    assert statistic(table, ["ga"]).observed()["unseen_disagreement/mean"] == pytest.approx(np.mean(expected))


def test_there_is_no_value_where_every_scanner_was_trained_on():
    assert statistic(predictions(scans()), []).observed() == {}


def test_without_pairs_there_is_a_reason():
    table = predictions(scans())
    first, second = table["patient_id"] < "p12", table["scanner"] == "gd"
    found = statistic(table[first != second], ["gd"])
    assert np.isnan(found.observed()["unseen_disagreement/mean"])
    assert "no specimen was scanned on gd" in found.reasons["unseen_disagreement/mean"]
