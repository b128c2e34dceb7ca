"""Weighted measures equal the plain ones on the observed data and on data that is repeated as the weights say."""

from itertools import combinations

import numpy as np
import pytest

from scangen_bundle.encoder_benchmark.paired_measures import (
    Cka,
    CosineGap,
    Shift,
    Variance,
    retrieval,
    shuffled_places,
    shuffled_scanners,
    unit_places,
)
from scangen_bundle.measures.paired_features import linear_cka, shift_energies
from scangen_bundle.statistics.bootstrap import PatientBootstrap


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


def shares(statistic, name, weights):
    """Tissue, scanner and interaction, or offset, affine and neither, of one row of weights."""
    parts = {"variance": ("tissue", "scanner", "interaction"), "shift": ("offset", "affine", "neither")}[name]
    values = statistic(np.atleast_2d(weights))
    return [values[f"{name}/{part}"][0] for part in parts]


def test_variance_is_the_analysis_of_variance_of_repeated_places():
    features, patient = draw()
    for weights in (np.ones(5, int), WEIGHTS):
        x = features[repeated(patient, weights)].astype(float)
        places, scanners, _ = x.shape
        of_place, of_scanner = x.mean(axis=1, keepdims=True), x.mean(axis=0, keepdims=True)
        rest = ((x - of_place - of_scanner + x.mean(axis=(0, 1))) ** 2).sum() / ((places - 1) * (scanners - 1))
        tissue = (of_place.var(axis=0, ddof=1).sum() * scanners - rest) / scanners
        scanner = (of_scanner.var(axis=1, ddof=1).sum() * places - rest) / places
        expected = np.array([tissue, scanner, rest]) / (tissue + scanner + rest)
        assert shares(Variance(features, patient), "variance", weights) == pytest.approx(expected, abs=1e-6)


def test_variance_finds_the_simulated_variances():
    generator = np.random.default_rng(0)
    places, scanners, dim = 200, 60, 40
    tissue = generator.normal(scale=3.0, size=(places, 1, dim))
    scanner = generator.normal(scale=2.0, size=(1, scanners, dim))
    statistic = Variance(tissue + scanner + generator.normal(size=(places, scanners, dim)), np.arange(places))
    assert shares(statistic, "variance", np.ones(places)) == pytest.approx((9 / 14, 4 / 14, 1 / 14), abs=0.02)


def test_variance_of_one_feature_equals_a_hand_calculation():
    # rows are places: means 1.5, 3.5, 5.5; columns are scanners: means 3, 4; no interaction
    table = np.array([[1, 2], [3, 4], [5, 6.0]])[:, :, None]
    # MS_place 8 -> 4; MS_scanner 1.5 -> 0.5; rest 0
    assert shares(Variance(table, np.arange(3)), "variance", np.ones(3)) == pytest.approx((4 / 4.5, 0.5 / 4.5, 0))


def test_shift_sums_the_energies_of_all_pairs_with_the_first_scanner():
    features, patient = draw(scanners=3)
    energies = sum(shift_energies(features[:, 0], features[:, s], patient) for s in (1, 2))
    energy, after_offset, after_affine = energies[repeated(patient, WEIGHTS)].sum(axis=0)
    expected = np.array([energy - after_offset, after_offset - after_affine, after_affine]) / energy
    assert shares(Shift(features, patient), "shift", WEIGHTS) == pytest.approx(expected)


def test_shift_tells_offset_affine_and_noise_apart():
    generator = np.random.default_rng(0)
    a, patient = generator.normal(size=(600, 6)), np.repeat(np.arange(60), 10)

    def of(b):
        return shares(Shift(np.stack([a, b], axis=1), patient), "shift", np.ones(60))

    assert of(a + 2)[0] == pytest.approx(1, abs=1e-6)
    # the map doubles a: energy 6 per row from the map, 24 from the offset
    assert of(2 * a + 2)[:2] == pytest.approx((24 / 30, 6 / 30), abs=0.02)
    noise = of(a + generator.normal(size=a.shape))
    assert noise[2] > 0.97
    assert noise[0] == pytest.approx(-1 / 480, abs=0.01)  # a mean of 480 rows of noise adds its own variance
    assert sum(noise) == pytest.approx(1)


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
