"""Measures of predictions are found by themselves, ordered for the page, and fail alone."""

import json

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.measures import evaluate_predictions, prediction_measures
from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_measure import _REGISTERED, GROUPS, prediction_measure
from scangen_bundle.report.html import write_report

from .tables import cohort

WORDS = {"title": "Mine", "better": "higher", "help": "for a test"}


@pytest.fixture
def registered():
    """Whatever a test registers is forgotten after it."""
    before = dict(prediction_measures())
    yield
    for key in set(_REGISTERED) - set(before):
        del _REGISTERED._entries[key]


def test_they_stand_in_the_order_of_the_page_and_each_has_its_words():
    measures = list(prediction_measures().values())
    groups = [measure.group for measure in measures]
    assert list(dict.fromkeys(groups)) == list(GROUPS)
    assert groups == sorted(groups, key=GROUPS.index)
    for group in GROUPS:
        positions = [measure.position for measure in measures if measure.group == group]
        assert positions == sorted(set(positions)), group
    assert all(measure.title and measure.help and measure.better for measure in measures)


def test_a_key_can_be_taken_once(registered):
    with pytest.raises(InputError, match="measure 'auroc': this name is registered already"):
        prediction_measure(key="auroc", **WORDS)(PerScanner)


def test_a_measure_that_raises_is_undefined_with_its_reason_and_the_others_go_on(registered):
    @prediction_measure(key="broken", group="discrimination", **WORDS)
    class Broken(PerScanner):
        def value(self, scans, sums):
            return sums["there is no such column"]

    result = evaluate_predictions(cohort(12), resamples=10)
    json.dumps(result, allow_nan=False)
    assert result["figures"]["broken"]["value"] is None
    assert result["figures"]["broken"]["reason"].startswith("the measure failed: KeyError")
    assert result["figures"]["auroc/A"]["value"] is not None


def test_a_measure_that_raises_for_resamples_only_has_no_interval(registered):
    @prediction_measure(key="fragile", group="discrimination", **WORDS)
    class Fragile(PerScanner):
        def value(self, scans, sums):
            if (sums.weights == 0).any():
                raise ZeroDivisionError("a patient is missing")
            return np.ones(len(sums.weights))

    figure = evaluate_predictions(cohort(12), resamples=10)["figures"]["fragile/A"]
    assert (figure["value"], figure["low"]) == (1.0, None)
    assert figure["interval_reason"]


def test_two_measures_with_one_column_name_for_other_values_are_told_apart(registered):
    @prediction_measure(key="clash", group="discrimination", **WORDS)
    class Clash(PerScanner):
        def columns(self, scans):
            return {"squared error": scans.probability}

        def value(self, scans, sums):
            return sums["squared error"]

    figures = evaluate_predictions(cohort(12), resamples=0)["figures"]
    reasons = [figures[key]["reason"] or "" for key in ("clash", "brier") if key in figures]
    assert any("another measure has a column 'squared error' of other values" in reason for reason in reasons)


def test_any_statistic_of_the_patients_weights_is_a_measure_and_a_new_group_has_a_section(registered, tmp_path):
    class Patients:
        def __init__(self, data):
            self.reasons = {}

        def __call__(self, weights):
            return {"heaviest": weights.max(axis=1).astype(float)}

    prediction_measure(key="heaviest", group="our own", **WORDS)(Patients)
    table = cohort(30)
    result = evaluate_predictions(table, resamples=20)
    assert result["figures"]["heaviest"]["value"] == 1.0
    write_report(tmp_path / "r.html", metrics=result, predictions=table)
    assert ">Our own</h2>" in (tmp_path / "r.html").read_text()


def test_a_statistic_with_a_foreign_key_is_refused(registered):
    class Foreign:
        def __init__(self, data):
            self.reasons = {}

        def __call__(self, weights):
            return {"auroc/A": np.zeros(len(weights))}

    prediction_measure(key="foreign", group="discrimination", **WORDS)(Foreign)
    figures = evaluate_predictions(cohort(12), resamples=5)["figures"]
    assert "its key is 'auroc/A'" in figures["foreign"]["reason"]
    assert figures["auroc/A"]["value"] != 0
