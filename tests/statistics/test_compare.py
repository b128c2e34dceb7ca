"""Paired comparison: same resamples, p-values, Holm."""

import numpy as np
import pytest
from pingouin import multicomp

from scangen_bundle.measures.predictions import check_predictions
from scangen_bundle.statistics.bootstrap import PatientBootstrap
from scangen_bundle.statistics.compare import bootstrap_p_value, compare_statistics, holm

from ..measures.tables import cohort, measures_of, statistic_of

NAMES = measures_of("discrimination")


def test_holm_equals_pingouins():
    p = np.random.default_rng(0).random(9) ** 3
    np.testing.assert_allclose(holm(p), multicomp(p, method="holm")[1], atol=1e-15)
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])


def test_holm_does_not_count_undefined_tests():
    found = holm([0.02, np.nan, 0.04])
    assert np.isnan(found[1])
    assert found[[0, 2]].tolist() == pytest.approx([0.04, 0.04])


def test_p_value_by_hand():
    assert bootstrap_p_value(np.array([1.0] * 99)) == 2 / 100
    assert bootstrap_p_value(np.array([1.0] * 90 + [-1.0] * 9)) == 20 / 100
    assert bootstrap_p_value(np.zeros(9)) == 1.0
    assert bootstrap_p_value(np.full(99, 1e-17)) == 1.0  # rounding is no difference


def test_difference_is_of_the_same_resamples():
    table = cohort(120)  # 60 patients: the percentile interval is shown
    other = table.assign(probability=1 - (1 - table.probability) ** 2 * np.linspace(0.9, 1, len(table)))
    first, second = (statistic_of(t, NAMES) for t in (table, other))
    checked = check_predictions(table)
    plan = PatientBootstrap(checked.strata(), 200, seed=7)
    found = compare_statistics([(first, second)], plan, 120)["auroc/A"]
    samples = [plan.run([statistic], 60).samples["auroc/A"] for statistic in (first, second)]
    expected = samples[1] - samples[0]
    assert found.standard_error == pytest.approx(expected.std(ddof=1), abs=1e-12)
    assert (found.difference.low, found.difference.high) == pytest.approx(
        np.quantile(expected, [0.025, 0.975]), abs=1e-12
    )
    assert found.effect == pytest.approx(found.difference.value / found.standard_error)


def test_a_model_does_not_differ_from_itself():
    checked = check_predictions(cohort())
    same = statistic_of(checked, NAMES), statistic_of(checked, NAMES)
    found = compare_statistics([same], PatientBootstrap(checked.strata(), 50), 60)["auroc/A"]
    assert found.difference.value == 0
    assert found.p_value == 1.0
    assert np.isnan(found.effect)
    assert found.difference.interval_reason
