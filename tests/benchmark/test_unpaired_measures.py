"""Unpaired measures find what was planted, and their baselines are what random features give."""

import numpy as np
import pytest

from scangen_bundle.benchmark.unpaired_measures import Points, label_measures, scanner_measures
from scangen_bundle.metrics.bootstrap import PatientBootstrap


def draw(scanner_effect=0.0, label_effect=0.0, patients=24, scanners=3, seed=0, tissue=0.5):
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), scanners)
    scanner, label = np.tile(np.arange(scanners), patients), patient % 2
    values = tissue * generator.normal(size=(patients, 16))[patient] + generator.normal(size=(len(patient), 16))
    values += scanner_effect * generator.normal(size=(scanners, 16))[scanner]
    values += label_effect * generator.normal(size=(2, 16))[label]
    return Points(values.astype(np.float32), patient, patient, scanner, label)


def observed(measured, patients=24):
    return PatientBootstrap(np.zeros(patients, int), 50).run(measured.statistics, patients * 3).observed


def test_a_planted_scanner_raises_probe_and_silhouette():
    with_scanner, without = (observed(scanner_measures(draw(effect), 24)) for effect in (3.0, 0.0))
    assert with_scanner["scanner_probe/linear"] > 0.9
    assert with_scanner["silhouette/scanner"] > 0.3 > without["silhouette/scanner"]
    baselines = scanner_measures(draw(), 24).baselines
    for key in ("scanner_probe/linear", "scanner_probe/knn"):
        assert without[key] == pytest.approx(baselines[key], abs=0.15)


def test_a_planted_label_raises_robustness_and_a_planted_scanner_lowers_it():
    robust, confounded = (observed(label_measures(draw(*effects), 24)) for effects in ((0, 3), (3, 0)))
    assert robust["robustness_index"] > 0.9 > 0.3 > confounded["robustness_index"]
    assert robust["label_probe/linear"] > 0.95
    assert robust["generalisation_index"] > 0.95


def test_baselines_are_the_mean_over_random_features():
    values = [label_measures(draw(seed=seed, tissue=0.0), 24) for seed in range(8)]
    for key in ("robustness_index", "generalisation_index"):
        mean = np.mean([observed(one)[key] for one in values])
        assert mean == pytest.approx(values[0].baselines[key], abs=0.12)


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        ({"label": -1}, "label_probe/linear", "no labels"),
        ({"label": 0}, "robustness_index", "one class only"),
        ({"scanner": 0}, "robustness_index", "one scanner only"),
    ],
)
def test_what_is_undefined_says_why(change, key, reason):
    points = draw()
    fields = {name: getattr(points, name) for name in points.__dataclass_fields__}
    fields.update({name: np.full_like(points.label, value) for name, value in change.items()})
    assert label_measures(Points(**fields), 24).reasons[key] == reason


def test_one_scanner_or_one_patient_have_no_scanner_probe():
    points = draw()
    one = points[np.flatnonzero(points.scanner == 0)]
    assert scanner_measures(one, 24).reasons["scanner_probe/linear"] == "one scanner only"
    patient = points[np.flatnonzero(points.patient == 0)]
    assert "one patient only" in scanner_measures(patient, 24).reasons["scanner_probe/knn"]
    assert scanner_measures(patient, 24).reasons["silhouette/tissue"] == "one specimen only"
