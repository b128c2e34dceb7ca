"""The loop over measures: each by itself, with intervals, details, reasons; a measure of one's own is one function."""

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.measures.evaluate_features import evaluate_features
from scangen_bundle.measures.feature_measure import (
    GROUPS,
    FeatureMeasure,
    Measured,
    feature_measure,
    feature_measures,
    overview_measures,
)
from scangen_bundle.measures.mean_of_ratios import MeanOfRatios
from scangen_bundle.measures.measure import NotApplicable, UndefinedMeasure

from .of_features.generated import draw_points, views


def made(compute, key="mine", **options):
    return FeatureMeasure(key, "mine", "", "One of one's own.", compute=compute, **options)


def mean_length(features):
    scans = features.scans
    lengths = np.linalg.norm(scans.values, axis=1)
    statistics = [MeanOfRatios("mine", lengths, np.ones(len(lengths)), scans.patient, scans.patients)]
    for code, name in enumerate(features.scanner_names):
        here = scans.scanner == code
        statistics.append(MeanOfRatios(f"by_scanner@{name}", here * lengths, here, scans.patient, scans.patients))
    return Measured(
        statistics,
        scans.patients,
        rows=len(scans),
        baselines={"mine": 4.0, "by_scanner": 4.0},
        notes={"mine": "a note"},
    )


def test_values_and_those_of_single_scanners_have_intervals_baselines_and_notes():
    points = draw_points()
    measures = [made(mean_length), made(mean_length, "by_scanner", by="scanner")]
    result = evaluate_features(views(points), 100, measures)
    lengths = np.linalg.norm(points.values, axis=1)
    value = result.values["mine"]
    assert value.value == pytest.approx(lengths.mean())
    assert value.low < value.value < value.high
    assert (value.baseline, value.note, value.patients, value.method) == (4.0, "a note", 24, "percentile")
    assert result.details["by_scanner"]["scanner1"].value == pytest.approx(lengths[points.scanner == 1].mean())
    assert result.details["by_scanner"]["scanner1"].baseline == 4.0


def test_a_function_of_several_measures_is_called_once():
    calls = []

    def compute(features):
        calls.append(features)
        return mean_length(features)

    evaluate_features(views(draw_points()), 0, [made(compute), made(compute, "by_scanner", by="scanner")])
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [(UndefinedMeasure("no labels"), "no labels"), (KeyError("gone"), "KeyError: 'gone'"), (NotApplicable("x"), None)],
    ids=lambda case: type(case).__name__,
)
def test_a_measure_that_raises_is_a_reason_and_the_others_go_on(error, reason):
    def fail(features):
        raise error

    result = evaluate_features(views(draw_points()), 0, [made(fail, "broken"), made(mean_length)])
    assert result.values["mine"].has_value
    assert ("broken" in result.values) == (reason is not None)
    if reason is not None:
        assert result.values["broken"].reason == reason


def test_a_statistic_that_raises_in_a_resample_is_a_reason():
    class Broken:
        def __init__(self):
            self.reasons = {}

        def __call__(self, weights):
            raise ZeroDivisionError("in a resample")

    result = evaluate_features(views(draw_points()), 10, [made(lambda features: Measured([Broken()], 24))])
    assert result.values["mine"].reason == "ZeroDivisionError: in a resample"


def test_two_patients_have_no_interval():
    result = evaluate_features(views(draw_points(patients=2)), 10, [made(mean_length)])
    assert result.values["mine"].interval_reason == "2 patients, an interval needs 3"


def test_every_registered_measure_has_words_and_a_place():
    for key, measure in feature_measures().items():
        assert measure.key == key
        assert measure.title
        assert measure.help.endswith((".", "?", ")"))
        assert measure.group in GROUPS
    assert [measure.overview for measure in overview_measures()] == list(range(1, 10))


def test_a_key_that_is_taken_is_refused():
    with pytest.raises(InputError, match="registered already"):
        feature_measure(FeatureMeasure("cka", "mine", "", "Mine."))(mean_length)
