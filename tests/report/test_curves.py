"""Curve points agree with scikit-learn, statsmodels' formulas by hand, and brute force."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import auc, roc_auc_score, roc_curve

from scangen_bundle.report.curves import bland_altman, reliability, roc_band, roc_corners


@pytest.fixture
def scores():
    generator = np.random.default_rng(1)
    label = np.repeat([0, 1], 40)
    score = np.round(label + generator.normal(0, 1, 80), 1)  # rounded, so that there are ties
    return label, score, np.arange(80) // 2


def test_corners_are_scikit_learns_also_with_ties_and_weights(scores):
    label, score, _ = scores
    order = np.argsort(-score, kind="stable")
    weight = np.random.default_rng(2).integers(0, 4, 80).astype(float)
    for weights in (np.ones(80), weight):
        false, true = roc_corners(label[order], score[order], weights[order])
        expected = roc_curve(label, score, sample_weight=weights, drop_intermediate=False)
        assert auc(false, true) == pytest.approx(roc_auc_score(label, score, sample_weight=weights), abs=1e-12)
        np.testing.assert_allclose(np.unique(false), np.unique(expected[0]), atol=1e-12)


def test_the_band_is_the_pointwise_quantile_over_resampled_patients(scores):
    label, score, patient = scores
    band = roc_band(label, score, patient, resamples=300, seed=3)
    generator = np.random.default_rng(9)  # other draws: only the distribution must agree
    groups = [np.unique(patient[label == value]) for value in (0, 1)]
    curves = []
    for _ in range(600):
        drawn = np.concatenate([generator.choice(group, len(group)) for group in groups])
        rows = np.concatenate([np.flatnonzero(patient == name) for name in drawn])
        false, true, _ = roc_curve(label[rows], score[rows], drop_intermediate=False)
        last = np.append(np.diff(false) > 0, True)
        curves.append(np.interp(band.grid, false[last], true[last]))
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    assert np.abs(band.low - low).max() < 0.12
    assert np.abs(band.high - high).max() < 0.12
    assert np.abs(band.low - low).mean() < 0.03
    inside = np.interp(band.grid[1:], band.false_positive_rate, band.true_positive_rate)
    assert (inside >= band.low[1:] - 0.05).all()


def test_a_curve_of_one_class_is_refused():
    with pytest.raises(ValueError, match="both classes"):
        roc_band([1, 1], [0.2, 0.3], [0, 1])


def test_bins_hold_equal_numbers_with_wilsons_interval():
    generator = np.random.default_rng(0)
    probability = generator.random(100)
    label = (generator.random(100) < probability).astype(int)
    points = reliability(label, probability, bins=5)
    assert points.count.tolist() == [20] * 5
    order = np.argsort(probability)
    for i in range(5):
        mine = order[20 * i : 20 * i + 20]
        expected = binomtest(int(label[mine].sum()), 20).proportion_ci(method="wilson")
        assert (points.low[i], points.high[i]) == pytest.approx((expected.low, expected.high), abs=1e-6)
        assert points.predicted[i] == pytest.approx(probability[mine].mean())


def test_equal_probabilities_share_a_bin():
    points = reliability([0, 1, 0, 1, 1], [0.5] * 5)
    assert points.count.tolist() == [5]
    assert points.observed.tolist() == [0.6]


def test_bland_altman_by_hand():
    points = bland_altman([0.5, 0.7, 0.9], [0.4, 0.8, 0.6])  # differences 0.1, -0.1, 0.3: mean 0.1, sd 0.2
    assert (points.bias, points.lower, points.upper) == pytest.approx((0.1, 0.1 - 0.392, 0.1 + 0.392))
    assert points.mean.tolist() == pytest.approx([0.45, 0.75, 0.75])
    assert np.isnan(bland_altman([0.5], [0.4]).upper)
