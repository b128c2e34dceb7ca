"""metrics.json: complete, strict JSON, every null with its reason."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from scangen_bundle.measures import DEFINITIONS, compare_predictions, evaluate_predictions
from scangen_bundle.statistics.delong import delong_test

from .tables import cohort, multi_class

OPTIONS = {"threshold": 0.5, "validation_sensitivity": 0.8, "resamples": 60}


def check_nulls(result):
    json.dumps(result, allow_nan=False)
    for key, figure in result["figures"].items():
        assert (figure["value"] is None) == (figure["reason"] is not None), key
        assert figure["reason"] != "undefined on these data", key
        if None in (figure["low"], figure["high"], figure["bca_low"], figure["bca_high"]):
            assert figure["interval_reason"], key


def test_a_plain_cohort_has_every_figure_with_its_interval():
    table = cohort()
    result = evaluate_predictions(table, **OPTIONS)
    check_nulls(result)
    assert {key.partition("/")[0] for key in result["figures"]} == set(DEFINITIONS) == set(result["definitions"])
    assert all(figure["value"] is not None for figure in result["figures"].values())
    rows = table[table.scanner == "B"]
    figure = result["figures"]["auroc/B"]
    assert figure["value"] == pytest.approx(roc_auc_score(rows.label, rows.probability), abs=1e-12)
    assert figure["low"] < figure["value"] < figure["high"]
    assert figure["scanners"] == ["B"]
    assert result["delong"]["B"]["auroc"] == pytest.approx(figure["value"], abs=1e-12)
    assert result["cohort"]["scanners"]["B"]["labels"] == {
        "0": int((rows.label == 0).sum()),
        "1": int((rows.label == 1).sum()),
    }


def test_the_order_of_the_rows_does_not_matter():
    table = cohort(missing=0.2)
    first = evaluate_predictions(table, **OPTIONS)
    second = evaluate_predictions(table.sample(frac=1, random_state=3), **OPTIONS)
    assert first["cohort"] == second["cohort"]
    for key, figure in first["figures"].items():
        for name in ("value", "low", "bca_high"):
            assert second["figures"][key][name] == pytest.approx(figure[name], abs=1e-9), key


def spoil(kind):
    table = cohort(20)
    if kind == "one class at a scanner":
        table.loc[(table.scanner == "B") & (table.label == 1), "label"] = -1
    elif kind == "one class":
        table["label"] = 1
    elif kind == "no label":
        table["label"] = -1
    elif kind == "one scanner":
        table = table[table.scanner == "A"]
    elif kind == "no pairs":
        table["specimen_id"] += table["scanner"]
    elif kind == "constant":
        table["probability"] = 0.5
    elif kind == "all zero":
        table["probability"] = 0.0
    elif kind == "perfect":
        table["probability"] = 0.1 + 0.8 * table["label"]
    elif kind == "one patient":
        table["patient_id"] = "p"
    elif kind == "one scan":
        table = table.head(1)
    return table


KINDS = "one class at a scanner|one class|no label|one scanner|no pairs|constant|all zero|perfect|one patient|one scan"


@pytest.mark.parametrize("kind", KINDS.split("|"))
def test_what_cannot_be_said_is_null_with_a_reason(kind):
    result = evaluate_predictions(spoil(kind), **OPTIONS)
    check_nulls(result)
    figures = result["figures"]
    if kind in ("one class", "no label", "one scan"):
        assert all(figure["value"] is None for key, figure in figures.items() if key.startswith("auroc/"))
    if kind == "one class at a scanner":
        assert figures["auroc/B"]["reason"] == "all labelled scans are of class 0 on scanner B"
        assert figures["auroc/mean"]["scanners"] == ["A", "C"]
    if kind == "constant":
        assert figures["auroc/A"]["value"] == 0.5  # all pairs tie
        assert figures["icc"]["value"] is figures["ccc/A vs B"]["value"] is None
    if kind == "all zero":
        assert figures["cov"]["reason"] == "the mean score of every specimen is 0"
    if kind == "perfect":
        assert figures["calibration_slope/A"]["value"] is None


def test_more_classes_are_evaluated_without_a_threshold():
    result = evaluate_predictions(multi_class(), resamples=40)
    check_nulls(result)
    assert result["settings"]["threshold"] is None
    assert result["delong"] == {}
    assert result["figures"]["auroc/worst"]["value"] is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unseen_scanners": ["Z"]}, "no scan is of the unseen scanner 'Z'; the table has A, B, C"),
        ({"threshold": 1.5}, "threshold from 0 to 1"),
        ({"validation_sensitivity": -1}, "validation_sensitivity from 0 to 1"),
        ({"confidence": 1.0}, "between 0 and 1"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        evaluate_predictions(cohort(8), **options)


def test_comparison_finds_a_better_model_and_nothing_between_equal_ones():
    table = cohort(120, per_patient=1)
    generator = np.random.default_rng(2)
    worse = table.assign(probability=np.clip(table.probability + 0.4 * generator.normal(size=len(table)), 0, 1))
    result = compare_predictions(worse.sample(frac=1, random_state=0), table, resamples=300)
    json.dumps(result, allow_nan=False)
    auroc = result["figures"]["auroc/A"]
    assert auroc["difference"] == pytest.approx(auroc["second"] - auroc["first"])
    assert auroc["difference"] > 0
    assert auroc["p_value"] <= auroc["p_holm"] < 0.05
    assert result["figures"]["cov"]["difference"] < 0
    assert result["figures"]["auroc/mean"]["p_holm"] is None
    rows = table.scanner == "A"
    expected = delong_test(table.label[rows], worse.probability[rows], table.probability[rows])
    assert result["delong"]["A"]["p_value"] == pytest.approx(expected.p_value, abs=1e-12)
    same = compare_predictions(table, table, resamples=20)
    assert all(not figure["difference"] for figure in same["figures"].values())


def test_means_over_other_scanners_are_not_compared():
    table = cohort(40)
    parted = table.assign(probability=table.probability.where(table.scanner != "A", 0.1 + 0.8 * table.label))
    figures = compare_predictions(table, parted, resamples=20)["figures"]
    mean = figures["calibration_slope/mean"]  # a score that parts the classes has no slope
    assert mean["difference"] is mean["p_value"] is mean["low"] is None
    assert mean["reason"] == "the first model's is over A, B, C, the second's over B, C"
    assert figures["calibration_slope/B"]["difference"] == pytest.approx(0, abs=1e-9)
    assert figures["auroc/mean"]["difference"] > 0


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
