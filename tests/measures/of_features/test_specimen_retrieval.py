"""Retrieval of specimens equals a sort of all cosines; ties count by chance."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.of_features import specimen_retrieval as module
from scangen_bundle.measures.of_features.specimen_retrieval import retrieval, specimen_retrieval

from .generated import change, draw_embeddings, draw_points, views


@pytest.mark.parametrize("block", [10**7, 200])
def test_retrieval_equals_a_sort_of_all_cosines(block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", block)
    values, _, specimen, scanner, _ = draw_embeddings(scanner_effect=2.0)
    kept = np.random.default_rng(1).random(len(values)) > 0.2
    values, specimen, scanner = values[kept], specimen[kept], scanner[kept]
    found = specimen_retrieval(values, specimen, scanner, ks=(1, 3))
    similarity = cosine_similarity(values.astype(np.float64))
    expected = {}
    for q in range(len(values)):
        for target in range(3):
            pool = np.flatnonzero(scanner == target)
            if target != scanner[q] and (specimen[pool] == specimen[q]).any():
                order = specimen[pool[np.argsort(-similarity[q, pool])]]
                expected[q, target] = [float(specimen[q] in order[:k]) for k in (1, 3)]
    pairs = zip(found.query.tolist(), found.target.tolist(), strict=True)
    assert dict(zip(pairs, found.hit.tolist(), strict=True)) == expected
    pool = (scanner == found.target[0]).sum()
    assert found.chance[0].tolist() == pytest.approx([1 / pool, 3 / pool])


def test_equal_embeddings_are_found_by_chance_only():
    specimen, scanner = np.repeat(np.arange(10), 2), np.tile([0, 1], 10)
    found = specimen_retrieval(np.ones((20, 4)), specimen, scanner, ks=(1, 5))
    np.testing.assert_allclose(found.hit, found.chance)


def test_of_several_scans_of_a_specimen_the_nearest_counts():
    values, _, specimen, scanner, _ = draw_embeddings(20, scanners=4, scanner_effect=1.5)
    scanner = scanner % 2  # two scans of each specimen on each scanner
    found = specimen_retrieval(values, specimen, scanner, ks=(1, 4))
    similarity = cosine_similarity(values.astype(np.float64))
    for query, target, hit in zip(found.query, found.target, found.hit, strict=True):
        pool = np.flatnonzero(scanner == target)
        rivals = pool[specimen[pool] != specimen[query]]
        nearer = (similarity[query, rivals] > similarity[query, pool[specimen[pool] == specimen[query]]].max()).sum()
        assert hit.tolist() == [float(nearer < 1), float(nearer < 4)]
    draws = [(np.random.default_rng(i).permutation(40)[:4] < 2).any() for i in range(4000)]
    assert found.chance[0, 1] == pytest.approx(np.mean(draws), abs=0.02)


def test_specimens_on_one_scanner_have_no_query():
    found = specimen_retrieval(np.eye(4), np.arange(4), np.array([0, 0, 1, 1]))
    assert found.hit.shape == (0, 3)


def test_without_a_specimen_on_two_scanners_it_is_undefined():
    with pytest.raises(UndefinedMeasure, match="on two scanners"):
        retrieval(views(change(draw_points(), scanner=0)))
