"""Resamples draw patients within strata; intervals equal scipy's."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scangen_bundle.measures.predictions import check_predictions
from scangen_bundle.statistics import bootstrap
from scangen_bundle.statistics.bootstrap import PatientBootstrap
from scangen_bundle.statistics.interval import acceleration, percentile_interval

from ..measures.tables import cohort, measures_of, statistic_of

NAMES = measures_of("discrimination")


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
    whole = plan.run([statistic_of(checked, NAMES)], 60, threads=1)
    monkeypatch.setattr(bootstrap, "BLOCK_ELEMENTS", 200)
    parts = plan.run([statistic_of(checked, NAMES)], 60, threads=3)
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
    found = acceleration(result.jackknife["mean"], result.groups)
    assert found == pytest.approx(exact, abs=3 * 0.65 / bootstrap.JACKKNIFE_GROUPS)


def test_intervals_equal_scipys_of_the_same_resamples():
    values = np.random.default_rng(2).exponential(size=40)
    result = PatientBootstrap(np.zeros(40, dtype=int), 999).run([Mean(values)], 40)
    found = result.estimate("mean")
    for method, expected in (
        ("percentile", percentile_interval(result.samples["mean"])),
        ("BCa", (found.bca_low, found.bca_high)),
    ):
        theirs = stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=0,
            method=method,
            bootstrap_result=SimpleNamespace(bootstrap_distribution=result.samples["mean"]),
        ).confidence_interval
        assert (theirs.low, theirs.high) == pytest.approx(expected, abs=1e-10)


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
        found = PatientBootstrap(checked.strata(), 300).run([statistic_of(checked, NAMES)], 80).estimate("auroc/A")
        widths.append(found.high - found.low)
    assert widths[1] == pytest.approx(widths[0], abs=1e-12)


def test_no_patients_and_negative_resamples_are_refused():
    with pytest.raises(ValueError, match="no patients"):
        PatientBootstrap(np.zeros(0), 10)
    with pytest.raises(ValueError, match="resamples >= 0"):
        PatientBootstrap(np.zeros(3), -1)
