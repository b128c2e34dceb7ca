"""Measures of embeddings: the planted scanner shows beside its baseline and colours, undefined ones have reasons."""

import math

import numpy as np
import pytest

from scangen_bundle.measures.evaluate_embeddings import evaluate_embeddings
from scangen_bundle.measures.neighbours import nearest, neighbour_counts
from scangen_bundle.measures.of_features.robustness_index import robustness_index

from .of_features.generated import draw_embeddings


def test_a_planted_scanner_shows_in_every_measure():
    results = []
    for effect in (0.0, 2.0):
        values, patient, specimen, scanner, label = draw_embeddings(scanner_effect=effect)
        noise = np.random.default_rng(5).normal(size=(len(values), 4))
        results.append(evaluate_embeddings(values, patient, specimen, scanner, label, colours=noise, resamples=50))
        index = results[-1]["robustness_index"]
        k = int(index.note.removeprefix("k = "))
        counts = neighbour_counts(nearest(values, patient, k), label, scanner, k)
        assert index.value == pytest.approx(robustness_index(counts), abs=1e-12)
        for key, estimate in results[-1].items():
            assert estimate.has_interval == (not estimate.interval_reason), key
    clean, marked = results
    for key in ("scanner_probe/linear", "scanner_probe/knn", "silhouette/scanner"):
        assert marked[key].value > clean[key].value
    for key in ("specimen_retrieval/top1", "robustness_index"):
        assert marked[key].value < clean[key].value
    assert marked["scanner_probe/linear"].value > 0.9 > marked["scanner_probe/linear_colour"].value
    assert marked["scanner_probe/knn"].baseline == pytest.approx(1 / 3)


def test_one_scanner_without_labels_is_undefined_with_reasons():
    values, patient, specimen, scanner, label = draw_embeddings(10)
    estimates = evaluate_embeddings(
        values, patient, specimen, np.zeros_like(scanner), np.full_like(label, -1), resamples=10
    )
    for key, estimate in estimates.items():
        assert math.isnan(estimate.value), key
        assert estimate.reason, key


def test_other_lengths_and_values_that_are_not_finite_are_refused():
    values, patient, specimen, scanner, label = draw_embeddings(10)
    with pytest.raises(ValueError, match="one row per scan"):
        evaluate_embeddings(values[1:], patient, specimen, scanner, label)
    values[3, 0] = np.nan
    with pytest.raises(ValueError, match="not finite, first at row 4"):
        evaluate_embeddings(values, patient, specimen, scanner, label)
