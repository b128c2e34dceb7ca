"""Embedding figures equal scikit-learn's, croma's and brute force, and find a scanner that was planted."""

import numpy as np
import pandas as pd
import pytest
from croma import RobustnessIndex
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, davies_bouldin_score, silhouette_samples
from sklearn.metrics.pairwise import cosine_similarity

from scangen_bundle.measures import embedding, neighbours
from scangen_bundle.measures.embedding import (
    DaviesBouldin,
    MeanOfRatios,
    all_other_counts,
    balanced_accuracy,
    choose_k,
    knn_probe,
    linear_probe,
    neighbour_counts,
    robustness_index,
    silhouette_values,
    specimen_retrieval,
)
from scangen_bundle.measures.neighbours import nearest, vote
from scangen_bundle.statistics.bootstrap import PatientBootstrap


def draw(specimens=40, scanners=3, scanner_effect=1.0, label_effect=1.0, seed=0):
    """Embeddings [N, 12] with planted effects, and patient, specimen, scanner, label [N]."""
    generator = np.random.default_rng(seed)
    specimen = np.repeat(np.arange(specimens), scanners)
    scanner = np.tile(np.arange(scanners), specimens)
    patient, label = specimen // 2, (specimen // 2) % 2
    values = generator.normal(size=(specimens, 12))[specimen] + 0.3 * generator.normal(size=(len(specimen), 12))
    values = values + scanner_effect * generator.normal(size=(scanners, 12))[scanner]
    values = values + label_effect * generator.normal(size=(2, 12))[label]
    return values.astype(np.float32), patient, specimen, scanner, label


@pytest.mark.parametrize("block", [10**7, 500])
def test_neighbours_equal_a_sort_of_all_cosines(block, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_ELEMENTS", block)
    values, patient, *_ = draw()
    similarity = cosine_similarity(values.astype(np.float64))
    found = nearest(values, patient, 7)
    for row in range(len(values)):
        allowed = np.flatnonzero(patient != patient[row])
        expected = allowed[np.argsort(-similarity[row, allowed])][:7]
        assert found[row].tolist() == expected.tolist()


def test_too_few_neighbours_are_marked():
    found = nearest(np.eye(3), np.array([0, 0, 1]), 4)
    assert found[0].tolist() == [2, -1, -1, -1]
    assert (found[2] == -1).sum() == 2


def test_embeddings_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite, first at row 2"):
        nearest(np.array([[1.0, 0.0], [np.nan, 0.0]]), np.array([0, 1]), 1)


def test_vote_takes_the_most_frequent_then_the_nearest():
    classes = np.array([0, 1, 1, 0])
    assert vote(np.array([[1, 2, 0]]), classes).tolist() == [1]
    assert vote(np.array([[0, 1, -1]]), classes).tolist() == [0]
    assert vote(np.array([[1, 0, -1]]), classes).tolist() == [1]
    assert vote(np.array([[-1, -1, -1]]), classes).tolist() == [-1]


@pytest.mark.parametrize("k", [1, 5, 11])
def test_robustness_index_equals_cromas(k):
    values, patient, _, scanner, label = draw()
    manifest = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(len(values))],
            "image_path": "x",
            "label": [f"class{c}" for c in label],
            "group_id": [f"p{i}" for i in patient],
            "scanner": [f"scanner{i}" for i in scanner],
        }
    )
    expected = RobustnessIndex.compute_curve(
        values.astype(np.float64), manifest, confounder_column="scanner", k_values=[k]
    )[k]
    counts = neighbour_counts(nearest(values, patient, k), label, scanner, k)
    assert robustness_index(counts) == pytest.approx(expected, abs=1e-10)
    assert (counts.ss + counts.so + counts.os + counts.oo == k).all()


def test_the_published_robustness_index_follows_from_the_published_counts(real_data):
    published = pd.read_csv(real_data / "reference" / "pathorob_uni2h_robustness_index.csv")
    for row in published.itertuples():
        shares = (np.array([value]) for value in (0, row.so_cum_norm_at_k, row.os_cum_norm_at_k, 0))
        counts = embedding.NeighbourCounts(*shares, row.k_opt)
        assert robustness_index(counts) == pytest.approx(row.ri, abs=1e-10)


def test_robustness_index_follows_what_was_planted():
    indices = []
    for scanner_effect, label_effect in ((0.0, 3.0), (3.0, 0.0)):
        values, patient, _, scanner, label = draw(scanner_effect=scanner_effect, label_effect=label_effect)
        indices.append(robustness_index(neighbour_counts(nearest(values, patient, 5), label, scanner, 5)))
    assert indices[0] > 0.9
    assert indices[1] < 0.1
    nothing = np.zeros(3, dtype=int)
    assert np.isnan(robustness_index(embedding.NeighbourCounts(nothing, nothing, nothing, nothing, 5)))


def test_random_neighbours_are_all_pairs_of_scans_of_two_patients():
    _, patient, _, scanner, label = draw()
    kept = np.random.default_rng(2).random(len(label)) > 0.3
    patient, scanner, label = patient[kept], scanner[kept], label[kept]
    other = patient[:, None] != patient
    same_label, same_scanner = label[:, None] == label, scanner[:, None] == scanner
    found = all_other_counts(label, scanner, patient)
    for counted, pairs in (
        (found.ss, same_label & same_scanner),
        (found.so, same_label & ~same_scanner),
        (found.os, ~same_label & same_scanner),
        (found.oo, ~same_label & ~same_scanner),
    ):
        assert counted.tolist() == (pairs & other).sum(axis=1).tolist()
    balanced = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.arange(4)
    assert robustness_index(all_other_counts(*balanced)) == 0.5


def test_chosen_k_has_the_best_balanced_accuracy():
    values, patient, _, _, label = draw(label_effect=0.3)
    found = nearest(values, patient, 15)
    ks = [1, 3, 7, 15]
    accuracy = [balanced_accuracy_score(label, vote(found[:, :k], label)) for k in ks]
    assert choose_k(found, label, ks) == ks[int(np.argmax(accuracy))]


def test_probes_find_a_planted_scanner_and_nothing_without_one():
    for effect, low, high in ((2.0, 0.9, 1.0), (0.0, 0.1, 0.55)):
        values, patient, _, scanner, _ = draw(scanner_effect=effect)
        for guess in (linear_probe(values, scanner, patient), knn_probe(values, scanner, patient)):
            assert low <= balanced_accuracy_score(scanner, guess) <= high


def test_a_probes_balanced_accuracy_is_a_statistic_of_patients():
    values, patient, _, scanner, _ = draw(scanner_effect=0.5)
    guess = knn_probe(values, scanner, patient)
    statistic = balanced_accuracy("probe", scanner, guess, patient, patient.max() + 1)
    result = PatientBootstrap(np.zeros(patient.max() + 1, int), 100).run([statistic], len(values))
    assert result.observed["probe"] == pytest.approx(balanced_accuracy_score(scanner, guess), abs=1e-12)
    found = result.interval("probe")
    assert found.low < result.observed["probe"] < found.high


def test_a_perfect_share_has_the_exact_interval_of_the_class_with_fewest_patients():
    truth, patient = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 1, 2, 3, 0, 1, 2, 2])
    statistic = balanced_accuracy("probe", truth, truth, patient, 4)
    found = PatientBootstrap(np.zeros(4, int), 200).run([statistic], len(truth)).interval("probe")
    expected = stats.binomtest(3, 3).proportion_ci(0.95, method="exact")
    assert (found.low, found.high, found.method) == (pytest.approx(expected.low), 1.0, "exact")
    silhouettes = MeanOfRatios("silhouette", np.array([1.0, -0.5]), np.ones(2), np.arange(2), 2)
    assert silhouettes.trials == {}


def test_a_probe_without_two_classes_or_enough_patients_is_refused():
    values, patient, _, scanner, _ = draw()
    with pytest.raises(ValueError, match="two classes"):
        linear_probe(values, np.zeros_like(scanner), patient)
    with pytest.raises(ValueError, match="as many patients"):
        linear_probe(values, scanner, np.zeros_like(patient))


def test_silhouette_equals_scikit_learns_with_cosine_distance():
    values, _, _, scanner, _ = draw()
    scanner[0] = 7  # alone in its cluster
    expected = silhouette_samples(values.astype(np.float64), scanner, metric="cosine")
    np.testing.assert_allclose(silhouette_values(values, scanner), expected, atol=1e-6)  # rows are scaled in float32


def test_davies_bouldin_equals_scikit_learns_of_unit_rows():
    values, _, patient, scanner, _ = draw()
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    index = DaviesBouldin("d", values, scanner, patient, patient.max() + 1)
    everyone = np.ones((1, patient.max() + 1), dtype=np.int32)
    assert index(everyone)["d"][0] == pytest.approx(davies_bouldin_score(unit, scanner), abs=1e-6)


def test_davies_bouldin_of_weighted_patients_counts_their_scans_as_often_about_the_same_centres():
    values, _, patient, scanner, _ = draw()
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
    values, _, patient, *_ = draw()
    with pytest.raises(ValueError, match="two clusters"):
        DaviesBouldin("d", values, np.zeros(len(values)), patient, patient.max() + 1)
    with pytest.raises(ValueError, match="more scans than clusters"):
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


@pytest.mark.parametrize("block", [10**7, 200])
def test_retrieval_equals_a_sort_of_all_cosines(block, monkeypatch):
    monkeypatch.setattr(embedding, "BLOCK_ELEMENTS", block)
    values, _, specimen, scanner, _ = draw(scanner_effect=2.0)
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
    values, _, specimen, scanner, _ = draw(20, scanners=4, scanner_effect=1.5)
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
