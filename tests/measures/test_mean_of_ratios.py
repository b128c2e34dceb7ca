"""A balanced accuracy is a statistic of patients, with an exact interval where nobody errs."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from scangen_bundle.measures.mean_of_ratios import MeanOfRatios, balanced_accuracy
from scangen_bundle.measures.probes import knn_probe
from scangen_bundle.statistics.bootstrap import PatientBootstrap

from .of_features.generated import draw_embeddings


def test_a_probes_balanced_accuracy_is_a_statistic_of_patients():
    values, patient, _, scanner, _ = draw_embeddings(scanner_effect=0.5)
    guess = knn_probe(values, scanner, patient)
    statistic = balanced_accuracy("probe", scanner, guess, patient, patient.max() + 1)
    result = PatientBootstrap(np.zeros(patient.max() + 1, int), 100).run([statistic], len(values))
    assert result.observed["probe"] == pytest.approx(balanced_accuracy_score(scanner, guess), abs=1e-12)
    found = result.estimate("probe")
    assert found.low < result.observed["probe"] < found.high


def test_a_perfect_share_has_the_exact_interval_of_the_class_with_fewest_patients():
    truth, patient = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 1, 2, 3, 0, 1, 2, 2])
    statistic = balanced_accuracy("probe", truth, truth, patient, 4)
    found = PatientBootstrap(np.zeros(4, int), 200).run([statistic], len(truth)).estimate("probe")
    expected = stats.binomtest(3, 3).proportion_ci(0.95, method="exact")
    assert (found.low, found.high, found.method) == (pytest.approx(expected.low), 1.0, "exact")
    silhouettes = MeanOfRatios("silhouette", np.array([1.0, -0.5]), np.ones(2), np.arange(2), 2)
    assert silhouettes.trials == {}
