"""Slope and intercept equal scikit-learn's logistic regression and a root finder."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from scangen_bundle.measures.logistic import PLACES, share_among_neighbours

from .of_predictions.test_calibration import draw, of_one_scanner


def calibration_line(label, p):
    """(slope, intercept) of scans of one scanner."""
    values = of_one_scanner(label, p)
    return values["calibration_slope"], values["calibration_intercept"]


def test_slope_and_intercept_equal_a_logistic_regressions():
    label, p = draw()
    slope, intercept = calibration_line(label, p)
    x = logit(p)
    model = LogisticRegression(C=np.inf, tol=1e-13, max_iter=10000, solver="newton-cholesky").fit(x[:, None], label)
    assert slope == pytest.approx(model.coef_[0, 0], abs=1e-8)
    assert np.mean(1 / (1 + np.exp(-(intercept + x)))) == pytest.approx(label.mean(), abs=1e-12)  # its score equation


def test_perfect_calibration_has_slope_one_and_intercept_zero():
    p = np.repeat([0.2, 0.4, 0.6, 0.8], 50)
    label = np.concatenate([np.arange(50) < 50 * q for q in (0.2, 0.4, 0.6, 0.8)]).astype(int)
    slope, intercept = calibration_line(label, p)
    assert slope == pytest.approx(1, abs=1e-10)
    assert intercept == pytest.approx(0, abs=1e-10)


def test_a_parted_or_missing_class_has_no_slope():
    slope, intercept = calibration_line(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.7, 0.8]))
    assert np.isnan(slope)
    assert np.isfinite(intercept)
    assert np.isnan(calibration_line(np.array([1, 1]), np.array([0.1, 0.2]))).all()
    assert np.isnan(calibration_line(np.array([0, 1]), np.array([0.3, 0.3]))[0])


def test_probabilities_of_exactly_0_and_1_stay_finite():
    label, p = draw()
    p[:3], p[3:6] = 0.0, 1.0
    assert np.isfinite(calibration_line(label, p)).all()


@pytest.mark.parametrize("seed", [0, 1, 2, 9, 26, 51])
def test_scores_far_apart_have_the_intercept_that_a_root_finder_finds(seed):
    generator = np.random.default_rng(seed)
    z = generator.normal(size=60) * 100
    label = (generator.random(60) < expit(z * 0.05)).astype(int)
    x = logit(np.clip(expit(z), 1e-7, 1 - 1e-7))
    root = brentq(lambda level: label.sum() - expit(x + level).sum(), -60, 60, xtol=1e-12)
    assert calibration_line(label, expit(z))[1] == pytest.approx(root, abs=1e-8)


def test_many_scans_on_places_give_the_regression_of_all_scans():
    label, p = draw(4000)
    x = logit(p)
    model = LogisticRegression(C=np.inf, tol=1e-13, max_iter=10000, solver="newton-cholesky").fit(x[:, None], label)
    slope, intercept = calibration_line(label, p)
    assert slope == pytest.approx(model.coef_[0, 0], abs=3e-6)
    root = brentq(lambda level: label.sum() - expit(x + level).sum(), -20, 20, xtol=1e-12)
    assert intercept == pytest.approx(root, abs=3e-6)


def test_sharing_among_neighbours_keeps_sums_of_cubics():
    position = np.random.default_rng(0).uniform(0, PLACES - 1, 50)
    place, share = share_among_neighbours(position)
    for power in range(4):
        assert (share * place.astype(float) ** power).sum() == pytest.approx((position**power).sum(), rel=1e-10)
