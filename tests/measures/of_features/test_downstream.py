"""Downstream measures are those of the held-out predictions, or say why there are none."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from scangen_bundle.errors import InputError
from scangen_bundle.measures.evaluate_features import evaluate_features
from scangen_bundle.measures.feature_measure import DOWNSTREAM, feature_measures
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.of_features.downstream import discrimination

from .generated import change, draw_points, views

MEASURES = [measure for measure in feature_measures().values() if measure.group == DOWNSTREAM]


def predict(tiles, manifest):
    """Probabilities that follow the label, with noise and a shift of each scanner."""
    noise = np.random.default_rng(0).normal(scale=0.2, size=len(manifest))
    shift = manifest.scanner.factorize()[0] * 0.05
    probability = (0.3 + 0.3 * manifest.label + noise + shift).clip(0.01, 0.99)
    return manifest[["slide_id", "specimen_id", "patient_id", "scanner", "label"]].assign(probability=probability)


@pytest.fixture(scope="module")
def measured():
    features = views(draw_points(), held_out=predict)
    return predict(features.tiles, features.manifest), evaluate_features(features, 50, MEASURES)


def test_auroc_is_that_of_each_scanner(measured):
    table, result = measured
    expected = {name: roc_auc_score(scans.label, scans.probability) for name, scans in table.groupby("scanner")}
    for scanner, value in expected.items():
        assert result.details["downstream/auroc"][scanner].value == pytest.approx(value)
    assert result.values["downstream/auroc_mean"].value == pytest.approx(np.mean(list(expected.values())))
    assert result.values["downstream/auroc_worst"].value == pytest.approx(min(expected.values()))
    assert result.values["downstream/auroc_worst"].baseline == 0.5


def test_calibration_gap_is_mean_probability_minus_share_of_the_class(measured):
    table, result = measured
    gaps = table.groupby("scanner").apply(lambda scans: scans.probability.mean() - scans.label.mean())
    for scanner, gap in gaps.items():
        assert result.details["downstream/calibration_gap"][scanner].value == pytest.approx(gap)
    drift = result.values["downstream/calibration_drift"]
    assert drift.value == pytest.approx(gaps.max() - gaps.min())
    assert 0 < drift.baseline < drift.value


def test_agreement_is_that_of_specimens(measured):
    table, result = measured
    wide = table.pivot(index="specimen_id", columns="scanner", values="probability")
    assert result.values["downstream/cov"].value == pytest.approx((wide.std(axis=1) / wide.mean(axis=1)).mean())
    flips = result.values["downstream/flip_rate"]
    assert flips.value == pytest.approx(((wide >= 0.5).nunique(axis=1) > 1).mean())
    assert flips.baseline > flips.value


def test_one_scanner_has_no_drift():
    result = evaluate_features(views(change(draw_points(), scanner=0), held_out=predict), 0, MEASURES)
    assert result.values["downstream/calibration_drift"].reason == "one scanner only"


@pytest.mark.parametrize(
    ("label", "reason"), [(-1, "no labels"), (1, "one class only")], ids=["unlabelled", "one class"]
)
def test_what_is_undefined_says_why_before_a_head_is_trained(label, reason):
    def never(tiles, manifest) -> pd.DataFrame:
        pytest.fail("a head was trained")

    result = evaluate_features(views(change(draw_points(), label=label), held_out=never), 0, MEASURES)
    assert {value.reason for value in result.values.values()} == {reason}


def test_folds_that_cannot_be_made_are_a_reason():
    def refuse(tiles, manifest) -> pd.DataFrame:
        raise InputError("labels", "a class is missing", "add patients")

    with pytest.raises(UndefinedMeasure, match="too few for folds"):
        discrimination(views(draw_points(), held_out=refuse))
