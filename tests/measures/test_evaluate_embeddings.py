"""All figures of embeddings: the planted scanner shows beside chance and colours, nulls have reasons."""

import json

import numpy as np
import pytest

from scangen_bundle.measures.embedding import neighbour_counts, robustness_index
from scangen_bundle.measures.evaluate_embeddings import evaluate_embeddings
from scangen_bundle.measures.neighbours import nearest

from .test_embedding import draw


def test_a_planted_scanner_shows_in_every_figure():
    results = []
    for effect in (0.0, 2.0):
        values, patient, specimen, scanner, label = draw(scanner_effect=effect)
        noise = np.random.default_rng(5).normal(size=(len(values), 4))
        results.append(
            evaluate_embeddings(values, patient, specimen, scanner, label, colours=noise, ks=(1, 5), resamples=50)
        )
        json.dumps(results[-1], allow_nan=False)
        index = results[-1]["robustness_index"]
        counts = neighbour_counts(nearest(values, patient, 5), label, scanner, index["k"])
        assert index["value"] == pytest.approx(robustness_index(counts), abs=1e-12)
        if index["interval_reason"] is None:
            assert index["low"] < index["high"]
            assert index["low"] <= index["value"] <= index["high"]
        else:  # every neighbour is of the planted scanner
            assert (index["value"], index["low"]) == (0, None)
        assert all((figure["low"] is None) == bool(figure["interval_reason"]) for figure in results[-1].values())
    clean, marked = results
    for key in ("scanner_probe/linear", "scanner_probe/knn", "silhouette/scanner"):
        assert marked[key]["value"] > clean[key]["value"]
    for key in ("retrieval/top1", "robustness_index"):
        assert marked[key]["value"] < clean[key]["value"]
    assert marked["scanner_probe/linear"]["value"] > 0.9 > marked["scanner_probe/linear_colour"]["value"]
    assert marked["scanner_probe/knn"]["chance"] == pytest.approx(1 / 3)


def test_one_scanner_without_labels_is_null_with_reasons():
    values, patient, specimen, scanner, label = draw(10)
    found = evaluate_embeddings(
        values, patient, specimen, np.zeros_like(scanner), np.full_like(label, -1), resamples=10
    )
    for key, figure in found.items():
        assert figure["value"] is None, key
        assert figure["reason"], key


def test_other_lengths_are_refused():
    values, patient, specimen, scanner, label = draw(10)
    with pytest.raises(ValueError, match="one row per scan"):
        evaluate_embeddings(values[1:], patient, specimen, scanner, label)
