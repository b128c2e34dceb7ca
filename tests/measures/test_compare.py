"""Two models on the same scans."""

import json

import numpy as np
import pytest

from scangen_bundle.measures import compare_predictions
from scangen_bundle.statistics.delong import delong_test

from .tables import cohort, multi_class


def test_comparison_finds_a_better_model_and_nothing_between_equal_ones():
    table = cohort(120, per_patient=1)
    generator = np.random.default_rng(2)
    worse = table.assign(probability=np.clip(table.probability + 0.4 * generator.normal(size=len(table)), 0, 1))
    result = compare_predictions(worse.sample(frac=1, random_state=0), table, resamples=300)
    json.dumps(result, allow_nan=False)
    auroc = result["figures"]["auroc/A"]
    assert auroc["difference"]["value"] == pytest.approx(auroc["second"] - auroc["first"])
    assert auroc["difference"]["value"] > 0
    assert auroc["p_value"] <= auroc["p_holm"] < 0.05
    assert result["figures"]["cov"]["difference"]["value"] < 0
    assert result["figures"]["auroc/mean"]["p_holm"] is None
    rows = table.scanner == "A"
    expected = delong_test(table.label[rows], worse.probability[rows], table.probability[rows])
    assert result["delong"]["A"]["p_value"] == pytest.approx(expected.p_value, abs=1e-12)
    same = compare_predictions(table, table, resamples=20)
    assert all(not figure["difference"]["value"] for figure in same["figures"].values())


def test_means_over_other_scanners_are_not_compared():
    table = cohort(40)
    parted = table.assign(probability=table.probability.where(table.scanner != "A", 0.1 + 0.8 * table.label))
    figures = compare_predictions(table, parted, resamples=20)["figures"]
    mean = figures["calibration_slope/mean"]  # a score that parts the classes has no slope
    assert mean["difference"]["value"] is mean["p_value"] is mean["difference"]["low"] is None
    assert mean["difference"]["reason"] == "the first model's is over A, B, C, the second's over B, C"
    assert figures["calibration_slope/B"]["difference"]["value"] == pytest.approx(0, abs=1e-9)
    assert figures["auroc/mean"]["difference"]["value"] > 0


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (cohort(8).head(20), "4 are only in the first"),
        (cohort(8).assign(label=0), "disagree on label"),
        (cohort(8).replace({"scanner": {"A": "Z"}}), "disagree on scanner"),
        (multi_class(8), "2 classes, the second 3"),
    ],
)
def test_tables_of_other_scans_are_not_compared(second, message):
    with pytest.raises(ValueError, match=message):
        compare_predictions(cohort(8), second)


def test_the_difference_of_two_biased_values_has_no_interval_either():
    table = cohort()
    figure = compare_predictions(table, table.assign(probability=table.probability**2), resamples=20)["figures"][
        "ece/A"
    ]
    assert figure["difference"]["value"] is not None
    assert figure["difference"]["low"] is figure["p_value"] is None
    assert "biased upwards" in figure["difference"]["interval_reason"]


def test_of_very_many_pairs_both_models_have_the_same_ones():
    table = cohort(6, scanners=[f"s{number:02d}" for number in range(14)], per_patient=1)
    other = table.assign(probability=np.random.default_rng(0).random(len(table)))
    figures = compare_predictions(table, other, resamples=4, names=["ccc"])["figures"]
    assert sum(" vs " in key for key in figures) == 20
