"""Weighted measures equal the plain ones on the observed data and on data that is repeated as the weights say."""

from itertools import combinations

import numpy as np
import pytest

from scangen_bundle.benchmark.paired_measures import (
    Cka,
    CosineGap,
    Shift,
    Variance,
    retrieval,
    shuffled_places,
    shuffled_scanners,
    unit_places,
)
from scangen_bundle.metrics.bootstrap import PatientBootstrap
from scangen_bundle.metrics.paired_features import linear_cka, shift_shares, variance_components


def draw(scanner_effect=0.5, patients=5, scanners=3, dim=8, seed=0):
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), [4, 6, 5, 7, 3][:patients])
    tissue = generator.normal(size=(len(patient), 1, dim))
    scanner = scanner_effect * generator.normal(size=(1, scanners, dim))
    noise = 0.3 * generator.normal(size=(len(patient), scanners, dim))
    return (tissue + scanner + noise).astype(np.float32), patient


def ones(patient):
    return np.ones((1, patient.max() + 1))


def repeated(patient, weights):
    return np.concatenate([np.flatnonzero(patient == p) for p, w in enumerate(weights) for _ in range(int(w))])


WEIGHTS = np.array([2, 0, 1, 1, 3])


def test_cosine_of_same_and_of_other_tissue_by_loops():
    features, patient = draw()
    unit = unit_places(features)
    values = CosineGap(unit, patient)(np.stack([np.ones(5), WEIGHTS]))
    same = np.mean([[x[a] @ x[b] for a, b in combinations(range(3), 2)] for x in unit])
    n = range(len(unit))
    other = np.mean([unit[i, s] @ unit[j, s] for s in range(3) for i in n for j in n if i != j])
    assert values["cosine/same_tissue"][0] == pytest.approx(same, abs=1e-6)
    assert values["cosine/other_tissue"][0] == pytest.approx(other, abs=1e-6)
    copies = [(i, copy) for p, w in enumerate(WEIGHTS) for copy in range(w) for i in np.flatnonzero(patient == p)]
    allowed = [
        (i, j)
        for i, first in copies
        for j, second in copies
        if i != j and (patient[i] != patient[j] or first == second)
    ]
    expected = np.mean([unit[i, s] @ unit[j, s] for s in range(3) for i, j in allowed])
    assert values["cosine/other_tissue"][1] == pytest.approx(expected, abs=1e-6)
    assert values["cosine/gap"][1] == values["cosine/same_tissue"][1] - values["cosine/other_tissue"][1]


def test_retrieval_by_sorting_the_stacked_rows():
    features, patient = draw(scanner_effect=1.5)
    unit = unit_places(features)
    statistics, pairs = retrieval(unit, patient, (1, 5))
    n = len(unit)
    for (a, b), found in pairs.items():
        stacked = np.concatenate([unit[:, a], unit[:, b]])
        similarity = stacked @ stacked.T
        np.fill_diagonal(similarity, -2)
        order = np.argsort(-similarity, axis=1)
        partner = np.concatenate([np.arange(n) + n, np.arange(n)])
        expected = [(order[:, :k] == partner[:, None]).any(axis=1).mean() for k in (1, 5)]
        assert found == pytest.approx(expected)
    value = statistics[0](ones(patient))["retrieval/top1"][0]
    assert value == pytest.approx(np.mean([found[0] for found in pairs.values()]))


def test_cka_equals_linear_cka_of_repeated_places():
    features, patient = draw()
    values = Cka(features, patient)(np.stack([np.ones(5), WEIGHTS]))["cka"]
    for value, rows in zip(values, (np.arange(len(patient)), repeated(patient, WEIGHTS)), strict=True):
        expected = np.mean([linear_cka(features[rows, a], features[rows, b]) for a, b in combinations(range(3), 2)])
        assert value == pytest.approx(expected, abs=1e-6)


def test_variance_equals_the_components_of_repeated_places():
    features, patient = draw()
    values = Variance(features, patient)(np.stack([np.ones(5), WEIGHTS]))
    for i, rows in enumerate((np.arange(len(patient)), repeated(patient, WEIGHTS))):
        expected = variance_components(features[rows])
        assert values["variance/tissue"][i] == pytest.approx(expected.specimen, abs=1e-6)
        assert values["variance/scanner"][i] == pytest.approx(expected.scanner, abs=1e-6)
        assert values["variance/interaction"][i] == pytest.approx(expected.interaction, abs=1e-6)


def test_shift_equals_the_shares_of_the_only_pair_and_finds_an_offset():
    features, patient = draw(scanners=2)
    values = {key: value[0] for key, value in Shift(features, patient)(ones(patient)).items()}
    expected = shift_shares(features[:, 0], features[:, 1], patient)
    assert values["shift/offset"] == pytest.approx(expected.offset)
    assert values["shift/affine"] == pytest.approx(expected.affine)
    moved = np.stack([features[:, 0], features[:, 0] + 3], axis=1)
    assert Shift(moved, patient)(ones(patient))["shift/offset"][0] == pytest.approx(1, abs=1e-9)


def test_no_shift_and_no_variance_are_undefined_with_a_reason():
    features = np.ones((6, 2, 3), np.float32)
    patient = np.array([0, 0, 1, 1, 2, 2])
    for statistic, key in (
        (Shift(features, patient), "shift/offset"),
        (Variance(features, patient), "variance/scanner"),
        (Cka(features, patient), "cka"),
    ):
        assert np.isnan(statistic(ones(patient))[key][0])
        assert statistic.reasons[key]


def test_all_go_through_the_bootstrap_and_a_planted_scanner_is_seen():
    for effect, least, most in ((3.0, 0.5, 1.0), (0.0, 0.0, 0.1)):
        features, patient = draw(effect)
        unit = unit_places(features)
        statistics = [CosineGap(unit, patient), *retrieval(unit, patient)[0], Cka(features, patient)]
        statistics += [Variance(features, patient), Shift(features, patient)]
        result = PatientBootstrap(np.zeros(5, int), 200).run(statistics, len(patient))
        assert least <= result.observed["variance/scanner"] <= most
        found = result.interval("retrieval/top1")
        if found.reason:  # the planted scanner hides every place
            assert (result.samples["retrieval/top1"] == 0).all()
        else:
            assert found.low <= result.observed["retrieval/top1"] <= found.high


def test_shuffling_places_leaves_no_tissue_and_shuffling_scanners_no_scanner():
    features, patient = draw(scanner_effect=2.0)
    generator = np.random.default_rng(0)
    shares = [
        {key: float(value[0]) for key, value in Variance(mixed, patient)(ones(patient)).items()}
        for mixed in (features, shuffled_places(features, generator), shuffled_scanners(features, generator))
    ]
    assert shares[0]["variance/tissue"] > 0.1 > shares[1]["variance/tissue"]
    assert shares[0]["variance/scanner"] > 0.5 > 0.1 > shares[2]["variance/scanner"]
    for mixed in (shuffled_places(features, generator), shuffled_scanners(features, generator)):
        assert np.sort(mixed.ravel()).tolist() == np.sort(features.ravel()).tolist()
