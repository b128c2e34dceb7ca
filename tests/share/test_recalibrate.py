import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from scangen_bundle.share.recalibrate import fit_platt, recalibrate


def sample(n: int = 4000):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=n)
    return expit(2 * truth + 0.5), (rng.random(n) < expit(truth)).astype(int)  # twice too confident, shifted


def test_line_is_the_logistic_regression_of_many_scans():
    p, label = sample()
    a, b = fit_platt(p, label)
    model = LogisticRegression(C=1e12).fit(np.log(p / (1 - p))[:, None], label)
    np.testing.assert_allclose([a, b], [model.intercept_[0], model.coef_[0, 0]], atol=0.02)
    assert abs(b - 0.5) < 0.06


def test_parted_classes_give_a_finite_line():
    a, b = fit_platt(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]))
    positive = recalibrate(np.array([[0.1, 0.9]]), np.array([[a, b]]))[0, 1]
    assert 0.5 < positive < 0.9


def test_the_order_is_never_turned_round():
    assert fit_platt(np.array([0.1, 0.2, 0.8, 0.9]), np.array([1, 1, 0, 0]))[1] == 0


def test_rows_sum_to_one():
    p = np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]])
    result = recalibrate(p, np.array([[0.1, 1.2], [0.0, 0.8], [-0.2, 1.0]]))
    np.testing.assert_allclose(result.sum(axis=1), 1)
    np.testing.assert_allclose(recalibrate(p, np.array([[0.0, 1.0]] * 3)), p)
