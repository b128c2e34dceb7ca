from __future__ import annotations

import numpy as np
import pytest

from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_statistic import PredictionStatistic
from scangen_bundle.measures.predictions import check_predictions
from tests.studies.tables import predictions, scans


def observed(table):
    return PredictionStatistic(PredictionData(check_predictions(table), 0.5), ["nll"]).observed()


def test_it_is_the_loss_of_a_loop_on_each_scanner():
    table = predictions(scans(), 2)
    values = observed(table)
    expected = []
    for scanner, rows in table.groupby("scanner"):
        loss = [-np.log(p if label else 1 - p) for p, label in zip(rows["probability"], rows["label"], strict=True)]
        assert values[f"nll/{scanner}"] == pytest.approx(np.mean(loss))
        expected.append(np.mean(loss))
    assert values["nll/mean"] == pytest.approx(np.mean(expected))
    assert values["nll/worst"] == pytest.approx(max(expected))


def test_of_several_classes_it_is_of_the_labels_probability():
    table = scans(12, ("ga", "gb"))
    rng = np.random.default_rng(0)
    probability = rng.dirichlet([1, 1, 1], len(table))
    label = rng.integers(0, 3, 12)
    table["label"] = [label[int(patient[1:])] for patient in table["patient_id"]]
    table = table.assign(**{f"probability_{c}": probability[:, c] for c in range(3)})
    loss = -np.log(probability[np.arange(len(table)), table["label"]])
    assert observed(table)["nll/ga"] == pytest.approx(loss[(table["scanner"] == "ga").to_numpy()].mean())


def test_a_certain_error_is_finite():
    table = predictions(scans(), 0).assign(probability=lambda rows: 1.0 - rows["label"])
    assert observed(table)["nll/mean"] == pytest.approx(-np.log(1e-12))
