"""Unpaired measures find what was planted, and their baselines are what random features give."""

import numpy as np
import pytest

from scangen_bundle.encoder_benchmark.unpaired_measures import Points, index_measures, label_probe, scanner_measures
from scangen_bundle.measures.embedding import ROBUSTNESS_KS
from scangen_bundle.statistics.bootstrap import PatientBootstrap


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


def indices(points):
    """Values by key at k = 5, and baselines."""
    measured, _ = index_measures(points, 24)
    found = observed(measured)
    return {key.removesuffix("@5"): value for key, value in found.items() if key.endswith("@5")}, measured.baselines


def test_a_planted_scanner_raises_probe_and_silhouette():
    with_scanner, without = (observed(scanner_measures(draw(effect), 24)) for effect in (3.0, 0.0))
    assert with_scanner["scanner_probe/linear"] > 0.9
    assert with_scanner["silhouette/scanner"] > 0.3 > without["silhouette/scanner"]
    baselines = scanner_measures(draw(), 24).baselines
    for key in ("scanner_probe/linear", "scanner_probe/knn"):
        assert without[key] == pytest.approx(baselines[key], abs=0.15)


def test_recall_of_single_scanners_is_that_of_the_probe():
    found = observed(scanner_measures(draw(1.0), 24))
    of_scanners = [found[f"scanner_probe/linear@{code}"] for code in range(3)]
    assert np.mean(of_scanners) == pytest.approx(found["scanner_probe/linear"])


def test_a_planted_label_raises_robustness_and_a_planted_scanner_lowers_it():
    (robust, _), (confounded, _) = (indices(draw(*effects)) for effects in ((0, 3), (3, 0)))
    assert robust["robustness_index"] > 0.9 > 0.3 > confounded["robustness_index"]
    assert observed(label_probe(draw(0, 3), 24))["label_probe/linear"] > 0.95
    assert robust["generalisation_index"] > 0.95


def test_baselines_are_the_mean_over_random_features():
    values = [indices(draw(seed=seed, tissue=0.0)) for seed in range(8)]
    for key in ("robustness_index", "generalisation_index"):
        mean = np.mean([found[key] for found, _ in values])
        assert mean == pytest.approx(values[0][1][key], abs=0.12)


def test_indices_are_given_at_every_k_that_other_patients_fill():
    measured, best = index_measures(draw(patients=8, label_effect=3.0), 8)  # 7 other patients on 3 scanners
    ks = {int(key.partition("@")[2]) for statistic in measured.statistics for key in statistic(np.ones((1, 8)))}
    assert ks == {k for k in ROBUSTNESS_KS if k <= 21}
    assert best in ks


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"label": -1}, "no labels"), ({"label": 0}, "one class only"), ({"scanner": 0}, "one scanner only")],
)
def test_what_is_undefined_says_why(change, reason):
    points = draw()
    fields = {name: getattr(points, name) for name in points.__dataclass_fields__}
    fields.update({name: np.full_like(points.label, value) for name, value in change.items()})
    measured, best = index_measures(Points(**fields), 24)
    assert measured.reasons["robustness_index"] == reason
    assert best is None
    if "label" in change:
        assert label_probe(Points(**fields), 24).reasons["label_probe/linear"] == reason


def test_one_scanner_or_one_patient_have_no_scanner_probe():
    points = draw()
    one = points[np.flatnonzero(points.scanner == 0)]
    assert scanner_measures(one, 24).reasons["scanner_probe/linear"] == "one scanner only"
    patient = points[np.flatnonzero(points.patient == 0)]
    assert "one patient only" in scanner_measures(patient, 24).reasons["scanner_probe/knn"]
    assert scanner_measures(patient, 24).reasons["silhouette/tissue"] == "one specimen only"
