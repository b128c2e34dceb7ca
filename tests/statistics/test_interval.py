"""Intervals equal scipy's; which one is shown depends on the number of patients."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from scangen_bundle.statistics.interval import FEW_PATIENTS, bca_interval, interval


def test_stratified_acceleration_equals_scipys_of_two_samples():
    generator = np.random.default_rng(3)
    first, second = generator.exponential(size=25), generator.normal(size=35)
    samples = generator.normal(size=500) * 0.2 + first.mean() - second.mean()
    left_out = [np.delete(first, i).mean() - second.mean() for i in range(25)]
    left_out += [first.mean() - np.delete(second, i).mean() for i in range(35)]
    theirs = stats.bootstrap(
        (first, second),
        lambda a, b, axis=-1: np.mean(a, axis=axis) - np.mean(b, axis=axis),
        n_resamples=0,
        method="BCa",
        bootstrap_result=SimpleNamespace(bootstrap_distribution=samples),
    ).confidence_interval
    strata = np.repeat([0, 1], [25, 35])
    ours = bca_interval(first.mean() - second.mean(), samples, np.array(left_out), strata)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-10)


def test_a_figure_undefined_in_many_resamples_has_no_interval_but_a_reason():
    samples = np.where(np.arange(100) < 10, np.nan, 0.5)
    found = interval(0.5, samples, np.ones(5), np.zeros(5))
    assert np.isnan(found.low)
    assert found.defined == 0.9
    assert "10% of the resamples" in found.interval_reason
    assert interval(np.nan, samples, np.ones(5), np.zeros(5)).interval_reason


@pytest.mark.parametrize(("value", "trials"), [(0.5, 5), (1.0, 0)])
def test_values_that_do_not_vary_have_no_interval_but_a_reason(value, trials):
    found = interval(value, np.full(100, value), np.full(5, value), np.zeros(5), trials=trials)
    assert np.isnan([found.low, found.high, found.bca_low, found.bca_high]).all()
    assert found.interval_reason == "it is the same in every resample"
    assert found.method == ""


@pytest.mark.parametrize(("value", "trials"), [(0.0, 1), (0.0, 12), (1.0, 5), (1.0, 300)])
def test_a_share_at_its_end_has_the_exact_binomial_interval(value, trials):
    found = interval(value, np.full(100, value), np.full(5, value), np.zeros(5), trials=trials)
    expected = stats.binomtest(int(value * trials), trials).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)
    assert (found.bca_low, found.bca_high) == (found.low, found.high)
    assert found.method == "exact"


@pytest.mark.parametrize(
    ("patients", "method"), [(FEW_PATIENTS - 1, "BCa"), (FEW_PATIENTS, "percentile"), (0, "percentile")]
)
def test_the_bca_interval_is_shown_where_patients_are_few(patients, method):
    generator = np.random.default_rng(0)
    found = interval(1.0, generator.gamma(2, 0.5, 400), generator.gamma(2, 0.5, 30), np.zeros(30), patients=patients)
    assert found.method == method
    assert ((found.low, found.high) == (found.bca_low, found.bca_high)) == (method == "BCa")
    assert found.bca_low != found.low or method == "BCa"


def test_where_there_is_no_bca_interval_the_percentile_interval_is_shown():
    found = interval(1.0, np.linspace(0.2, 0.9, 100), np.linspace(0, 1, 10), np.zeros(10), patients=12)
    assert found.method == "percentile"
    assert np.isnan(found.bca_low)
    assert found.interval_reason.startswith("no BCa interval")


def test_the_shown_interval_covers_a_skewed_mean_of_twenty_patients():
    """Exponential values: the truth is 1; a percentile interval covers it in about 90 % of the draws."""
    from scangen_bundle.statistics.bootstrap import PatientBootstrap

    class Mean:
        def __init__(self, values):
            self.values, self.reasons = values, {}

        def __call__(self, weights):
            return {"mean": weights @ self.values / weights.sum(axis=1)}

    covered = {"shown": 0, "percentile": 0}
    for seed in range(300):
        values = np.random.default_rng(seed).exponential(size=20)
        result = PatientBootstrap(np.zeros(20, int), 300, seed).run([Mean(values)], 20)
        found = result.estimate("mean")
        low, high = np.quantile(result.samples["mean"], [0.025, 0.975])
        covered["shown"] += found.low <= 1 <= found.high
        covered["percentile"] += low <= 1 <= high
    assert covered["shown"] > covered["percentile"]
    assert covered["shown"] / 300 > 0.88
