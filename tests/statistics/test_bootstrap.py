"""Resamples draw patients within strata; intervals equal scipy's."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scangen_bundle.measures.discrimination import Discrimination
from scangen_bundle.measures.predictions import check_predictions
from scangen_bundle.statistics import bootstrap
from scangen_bundle.statistics.bootstrap import PatientBootstrap, bca_interval, interval, percentile_interval

from ..measures.tables import cohort


class Mean:
    """Weighted mean of one value per patient."""

    def __init__(self, values):
        self.values, self.reasons = values, {}

    def __call__(self, weights):
        return {"mean": weights @ self.values / weights.sum(axis=1)}


def test_each_resample_draws_every_stratum_to_its_size():
    strata = np.array([0, 1, 1, 0, 1, 2, 0])
    rows = list(PatientBootstrap(strata, 50, seed=1).rows())
    assert (rows[0] == 1).all()
    for weights in rows[1:51]:
        for stratum in range(3):
            assert weights[strata == stratum].sum() == (strata == stratum).sum()
    assert len({tuple(weights) for weights in rows[1:51]}) > 30


def test_draws_depend_on_the_seed_and_on_nothing_else():
    strata = np.random.default_rng(0).integers(2, size=30)
    first = np.concatenate(list(PatientBootstrap(strata, 20, seed=3).blocks(7)))
    np.testing.assert_array_equal(first, np.concatenate(list(PatientBootstrap(strata, 20, seed=3).blocks(64))))
    assert (first != np.concatenate(list(PatientBootstrap(strata, 20, seed=4).blocks(7)))).any()


def test_results_do_not_depend_on_threads_or_blocks(monkeypatch):
    checked = check_predictions(cohort())
    plan = PatientBootstrap(checked.strata(), 40)
    whole = plan.run([Discrimination(checked, 0.5)], 60, threads=1)
    monkeypatch.setattr(bootstrap, "BLOCK_ELEMENTS", 200)
    parts = plan.run([Discrimination(checked, 0.5)], 60, threads=3)
    for key, samples in whole.samples.items():
        np.testing.assert_allclose(parts.samples[key], samples, atol=1e-13)


def test_jackknife_leaves_out_each_patient_once():
    rows = np.stack(list(PatientBootstrap(np.array([0, 0, 1, 1, 1]), 1).rows()))[2:]
    np.testing.assert_array_equal(np.sort(rows, axis=0)[0], 0)
    assert (rows.sum(axis=1) == 4).all()
    assert len(rows) == 5


def test_many_patients_are_left_out_in_groups_and_the_acceleration_hardly_changes():
    values = np.random.default_rng(0).exponential(size=4000)
    strata = np.zeros(4000, dtype=int)
    result = PatientBootstrap(strata, 1).run([Mean(values)], 4000)
    assert len(result.jackknife["mean"]) == bootstrap.JACKKNIFE_GROUPS
    exact = stats.skew(values) / (6 * np.sqrt(4000))
    found = bootstrap.acceleration(result.jackknife["mean"], result.groups)
    assert found == pytest.approx(exact, abs=3 * 0.65 / bootstrap.JACKKNIFE_GROUPS)


def test_intervals_equal_scipys_of_the_same_resamples():
    values = np.random.default_rng(2).exponential(size=40)
    result = PatientBootstrap(np.zeros(40, dtype=int), 999).run([Mean(values)], 40)
    found = result.interval("mean")
    for method, expected in (("percentile", (found.low, found.high)), ("BCa", (found.bca_low, found.bca_high))):
        theirs = stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=0,
            method=method,
            bootstrap_result=SimpleNamespace(bootstrap_distribution=result.samples["mean"]),
        ).confidence_interval
        assert (theirs.low, theirs.high) == pytest.approx(expected, abs=1e-10)


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


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    for seed in range(200):
        values = np.random.default_rng(seed).normal(size=60)
        low, high = percentile_interval(
            PatientBootstrap(np.zeros(60, int), 200, seed).run([Mean(values)], 60).samples["mean"]
        )
        covered += low <= 0 <= high
    assert 0.88 <= covered / 200 <= 0.98


def test_scans_of_a_patient_make_the_interval_no_narrower():
    table = cohort(40, scanners="A", per_patient=1)
    copies = table.assign(slide_id=table.slide_id + "x", specimen_id=table.specimen_id + "x")
    doubled = check_predictions(pd.concat([table, copies]))
    single = check_predictions(table)
    widths = []
    for checked in (single, doubled):
        found = PatientBootstrap(checked.strata(), 300).run([Discrimination(checked, 0.5)], 80).interval("auroc/A")
        widths.append(found.high - found.low)
    assert widths[1] == pytest.approx(widths[0], abs=1e-12)


def test_a_figure_undefined_in_many_resamples_has_no_interval_but_a_reason():
    samples = np.where(np.arange(100) < 10, np.nan, 0.5)
    found = interval(0.5, samples, np.ones(5), np.zeros(5))
    assert np.isnan(found.low)
    assert found.defined == 0.9
    assert "10% of the resamples" in found.reason
    assert interval(np.nan, samples, np.ones(5), np.zeros(5)).reason


@pytest.mark.parametrize(("value", "trials"), [(0.5, 5), (1.0, 0)])
def test_values_that_do_not_vary_have_no_interval_but_a_reason(value, trials):
    found = interval(value, np.full(100, value), np.full(5, value), np.zeros(5), trials=trials)
    assert np.isnan([found.low, found.high, found.bca_low, found.bca_high]).all()
    assert found.reason == found.bca_reason == "it is the same in every resample"
    assert found.method == ""


@pytest.mark.parametrize(("value", "trials"), [(0.0, 1), (0.0, 12), (1.0, 5), (1.0, 300)])
def test_a_share_at_its_end_has_the_exact_binomial_interval(value, trials):
    found = interval(value, np.full(100, value), np.full(5, value), np.zeros(5), trials=trials)
    expected = stats.binomtest(int(value * trials), trials).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)
    assert (found.bca_low, found.bca_high) == (found.low, found.high)
    assert found.method == "exact"


def test_no_patients_and_negative_resamples_are_refused():
    with pytest.raises(ValueError, match="no patients"):
        PatientBootstrap(np.zeros(0), 10)
    with pytest.raises(ValueError, match="resamples >= 0"):
        PatientBootstrap(np.zeros(3), -1)
