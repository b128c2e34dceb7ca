"""The index equals scikit-learn's, also of weighted patients."""

import numpy as np
import pytest
from sklearn.metrics import davies_bouldin_score

from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.of_features.davies_bouldin import DaviesBouldin

from .generated import draw_embeddings


def test_davies_bouldin_equals_scikit_learns_of_unit_rows():
    values, _, patient, scanner, _ = draw_embeddings()
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    index = DaviesBouldin("d", values, scanner, patient, patient.max() + 1)
    everyone = np.ones((1, patient.max() + 1), dtype=np.int32)
    assert index(everyone)["d"][0] == pytest.approx(davies_bouldin_score(unit, scanner), abs=1e-6)


def test_davies_bouldin_of_weighted_patients_counts_their_scans_as_often_about_the_same_centres():
    values, _, patient, scanner, _ = draw_embeddings()
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    weights = np.random.default_rng(3).integers(0, 4, (5, patient.max() + 1)).astype(np.int32)
    found = DaviesBouldin("d", values, scanner, patient, patient.max() + 1)(weights)["d"]
    names = np.unique(scanner)
    centres = [unit[scanner == name].mean(axis=0) for name in names]
    for row, value in zip(weights, found, strict=True):
        spread = []
        for name, centre in zip(names, centres, strict=True):
            scans = np.repeat(np.flatnonzero(scanner == name), row[patient[scanner == name]])
            spread.append(np.mean([np.linalg.norm(unit[scan] - centre) for scan in scans]))
        worst = [
            max((spread[a] + spread[b]) / np.linalg.norm(centres[a] - centres[b]) for b in range(len(names)) if b != a)
            for a in range(len(names))
        ]
        assert value == pytest.approx(np.mean(worst), abs=1e-6)


def test_davies_bouldin_needs_clusters_and_centres_that_differ():
    values, _, patient, *_ = draw_embeddings()
    with pytest.raises(UndefinedMeasure, match="two clusters"):
        DaviesBouldin("d", values, np.zeros(len(values)), patient, patient.max() + 1)
    with pytest.raises(UndefinedMeasure, match="more scans than clusters"):
        DaviesBouldin("d", values, np.arange(len(values)), patient, patient.max() + 1)
    cluster, both = np.repeat([0, 1], len(values)), np.concatenate([patient, patient])
    for twice in (
        np.concatenate([values, values]),
        np.concatenate([values, values[::-1] * np.float32(1.7)]),  # the same but for rounding
        np.ones((2 * len(values), 12), np.float32) / 3,  # a collapsed space
    ):
        index = DaviesBouldin("d", twice, cluster, both, patient.max() + 1)
        assert np.isnan(index(np.ones((1, patient.max() + 1), dtype=np.int32))["d"]).all()
        assert "same centre" in index.reasons["d"]
