"""Probes find a planted scanner, and nothing without one."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from scangen_bundle.measures.probes import knn_probe, linear_probe

from .of_features.generated import draw_embeddings


def test_probes_find_a_planted_scanner_and_nothing_without_one():
    for effect, low, high in ((2.0, 0.9, 1.0), (0.0, 0.1, 0.55)):
        values, patient, _, scanner, _ = draw_embeddings(scanner_effect=effect)
        for guess in (linear_probe(values, scanner, patient), knn_probe(values, scanner, patient)):
            assert low <= balanced_accuracy_score(scanner, guess) <= high


def test_a_probe_without_two_classes_or_enough_patients_is_refused():
    values, patient, _, scanner, _ = draw_embeddings()
    with pytest.raises(ValueError, match="two classes"):
        linear_probe(values, np.zeros_like(scanner), patient)
    with pytest.raises(ValueError, match="as many patients"):
        linear_probe(values, scanner, np.zeros_like(patient))
