"""DeLong's variance equals the definition's double loop."""

import numpy as np
import pytest
from scipy import stats

from scangen_bundle.measures.ranking import auroc
from scangen_bundle.statistics.delong import delong_covariance, delong_interval, delong_test


def draw(seed=0, n=90, decimals=None):
    generator = np.random.default_rng(seed)
    label = generator.integers(2, size=n)
    scores = generator.normal(size=(2, n)) + label
    scores[1] += scores[0]
    return label, scores if decimals is None else scores.round(decimals)


def kernel(positive, negative):
    return np.where(positive > negative, 1.0, np.where(positive == negative, 0.5, 0.0))


@pytest.mark.parametrize("decimals", [None, 0])
def test_covariance_equals_the_definition(decimals):
    label, scores = draw(decimals=decimals)
    v10, v01 = [], []
    for score in scores:
        comparisons = kernel(score[label == 1][:, None], score[label == 0][None])
        v10.append(comparisons.mean(axis=1))
        v01.append(comparisons.mean(axis=0))
    expected = np.cov(v10) / len(v10[0]) + np.cov(v01) / len(v01[0])
    found, covariance = delong_covariance(label, scores)
    np.testing.assert_allclose(covariance, expected, atol=1e-14)
    np.testing.assert_allclose(found, [auroc(label, score) for score in scores], atol=1e-14)


def test_interval_is_normal_and_stays_in_range():
    label, scores = draw()
    found = delong_interval(label, scores[0])
    assert found.high - found.low == pytest.approx(2 * stats.norm.ppf(0.975) * found.standard_error, abs=1e-12)
    near_one = delong_interval([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.35, 0.3, 0.7, 0.8])
    assert near_one.high == 1.0


def test_the_test_is_that_of_the_normal_difference():
    label, scores = draw()
    found = delong_test(label, *scores)
    (first, second), covariance = delong_covariance(label, scores)
    z = (second - first) / np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert found.z == pytest.approx(z, abs=1e-12)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), abs=1e-12)


def test_equal_models_differ_seldom():
    p_values = []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        label = np.repeat([0, 1], 40)
        p_values.append(delong_test(label, *(generator.normal(size=(2, 80)) + label)).p_value)
    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.09


@pytest.mark.parametrize("sign", [1, -1])
def test_perfect_separation_has_the_exact_interval_of_disjoint_pairs(sign):
    found = delong_interval([0, 0, 0, 1, 1], sign * np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    expected = stats.binomtest(2 if sign == 1 else 0, 2).proportion_ci(0.95, method="exact")
    assert found.auroc == (sign + 1) / 2
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)
    assert np.isnan(found.standard_error)
    assert (found.method, bool(found.reason)) == ("exact", True)


def test_undefined_has_a_reason():
    assert "two scans of each class" in delong_interval([0, 0, 1], [0.1, 0.2, 0.3]).reason
    level = delong_interval([0, 0, 1, 1], [0.1, 0.1, 0.1, 0.1])
    assert level.auroc == 0.5
    assert np.isnan(level.low)
    assert level.reason
    label, scores = draw()
    alike = delong_test(label, scores[0], 2 * scores[0])
    assert alike.difference == 0
    assert np.isnan(alike.p_value)
    assert alike.reason
