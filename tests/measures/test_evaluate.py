"""metrics.json: complete, strict JSON, every null with its reason."""

import json

import pytest
from sklearn.metrics import roc_auc_score

from scangen_bundle.errors import InputError
from scangen_bundle.measures import evaluate_predictions, prediction_measures

from .tables import cohort, multi_class

OPTIONS = {"threshold": 0.5, "validation_sensitivity": 0.8, "resamples": 60}


def check_nulls(result):
    json.dumps(result, allow_nan=False)
    for key, figure in result["figures"].items():
        assert (figure["value"] is None) == (figure["reason"] is not None), key
        assert figure["reason"] != "undefined on these data", key
        assert "failed" not in (figure["reason"] or ""), key
        if None in (figure["low"], figure["high"], figure["bca_low"], figure["bca_high"]):
            assert figure["interval_reason"], key


def test_a_plain_cohort_has_every_figure_with_its_interval():
    table = cohort()
    result = evaluate_predictions(table, **OPTIONS)
    check_nulls(result)
    of_unseen = {"unseen_disagreement"}  # no scanner is unseen here
    measured = {key.partition("/")[0] for key in result["figures"]}
    assert measured | of_unseen == set(prediction_measures()) == set(result["definitions"])
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


def test_a_network_that_scores_all_specimens_alike_is_called_out():
    table = cohort(40)
    flat = table.assign(probability=0.5 + 0.02 * (table.probability - 0.5))
    result = evaluate_predictions(flat, resamples=20)
    low, high = flat.groupby("specimen_id").probability.mean().agg(["min", "max"])
    assert result["cohort"]["alike"] == (
        f"scores of all specimens lie within {low:.3f} to {high:.3f}, so agreement between scanners means nothing"
    )
    assert result["figures"]["cov"]["note"] == result["figures"]["ccc/A vs B"]["note"] == result["cohort"]["alike"]
    assert result["figures"]["auroc/A"]["note"] is None
    assert evaluate_predictions(table, resamples=20)["cohort"]["alike"] is None


def test_small_probabilities_of_a_rare_class_are_not_alike():
    table = cohort(40)
    rare = table.assign(probability=table.probability / 20)
    assert evaluate_predictions(rare, resamples=0)["cohort"]["alike"] is None


def test_the_ece_has_no_interval_and_says_why():
    figures = evaluate_predictions(cohort(), resamples=20)["figures"]
    for key in ("ece/A", "ece/mean", "ece_equal_mass/worst"):
        assert figures[key]["value"] is not None
        assert figures[key]["low"] is figures[key]["bca_low"] is figures[key]["method"] is None
        assert "biased upwards" in figures[key]["interval_reason"]


def test_two_hundred_scanners_have_a_bounded_number_of_values():
    table = cohort(8, scanners=[f"scanner{number:03d}" for number in range(200)], per_patient=1)
    result = evaluate_predictions(table, resamples=4)
    assert (result["cohort"]["pairs"], result["cohort"]["pairs_with_values"]) == (19900, 20)
    assert sum(" vs " in key for key in result["figures"]) <= 20 * 8
    assert len(result["figures"]) < 4000
    assert result["figures"]["ccc/mean"]["value"] is not None


def test_measures_can_be_chosen_by_name_and_an_unknown_one_names_those_that_exist():
    result = evaluate_predictions(cohort(10), resamples=0, names=["cov", "auroc"])
    assert set(result["definitions"]) == {"cov", "auroc"}
    with pytest.raises(InputError, match="did you mean flip_rate"):
        evaluate_predictions(cohort(10), names=["flip_rat"])
