"""The exact interval holds what it says, whoever the patients are."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from scangen_bundle.measures import evaluate_predictions
from scangen_bundle.statistics.exact import disjoint_pairs, exact_interval

from ..measures.tables import cohort


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("trials", [1, 7, 250])
def test_the_interval_is_clopper_and_pearsons(value, trials):
    expected = stats.binomtest(int(value * trials), trials).proportion_ci(0.9, method="exact")
    assert exact_interval(value, trials, 0.9) == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize(("value", "trials"), [(0.5, 3), (1.0, 0)])
def test_other_shares_and_no_trials_are_refused(value, trials):
    with pytest.raises(ValueError, match="expected 0 or 1"):
        exact_interval(value, trials)


def most_pairs(positive, negative):
    """The same by trying every pairing."""
    people = range(len(positive))
    fits = [
        (a, b) for a, b in combinations(people, 2) if (positive[a] and negative[b]) or (positive[b] and negative[a])
    ]
    for size in range(len(positive) // 2, 0, -1):
        if any(len({p for pair in some for p in pair}) == 2 * size for some in combinations(fits, size)):
            return size
    return 0


def test_disjoint_pairs_are_the_most_that_can_be_made():
    generator = np.random.default_rng(0)
    for _ in range(60):
        positive, negative = generator.random((2, 6)) < 0.5
        assert disjoint_pairs(positive, negative) == most_pairs(positive, negative)


def test_perfect_separation_is_no_more_probable_at_the_bound_than_the_level():
    """Equal-variance normal scores whose AUROC is the lower bound: all scans in order in at most 2.5 % of the draws."""
    pairs = 4
    low, _ = exact_interval(1.0, pairs)
    shift = np.sqrt(2) * stats.norm.ppf(low)
    generator = np.random.default_rng(1)
    positive, negative = generator.normal(size=(2, 20_000, pairs))
    parted = (positive + shift).min(axis=1) > negative.max(axis=1)
    assert parted.mean() <= 0.025


def test_every_perfect_figure_has_an_interval_with_a_width_or_a_reason():
    table = cohort(20, per_patient=1)
    table["probability"] = 0.1 + 0.8 * table["label"]
    positives, patients = table.groupby("patient_id")["label"].first().sum(), 20
    pairs = min(positives, patients - positives)
    figures = evaluate_predictions(table, resamples=40)["figures"]
    trials = {
        "auroc/A": pairs,
        "auroc/mean": pairs,
        "auroc/worst": pairs,
        "sensitivity/B": positives,
        "specificity/worst": patients - positives,
        "balanced_accuracy/C": pairs,
        "flip_rate": patients,
        "flip_rate/A vs B": patients,
        "all_scanner_agreement": patients,
    }
    for key, n in trials.items():
        figure = figures[key]
        expected = stats.binomtest(int(figure["value"] * n), int(n)).proportion_ci(0.95, method="exact")
        assert (figure["low"], figure["high"]) == pytest.approx(tuple(expected), abs=1e-12), key
        assert figure["method"] == "exact"
    for key, figure in figures.items():
        if figure["value"] is not None:
            assert (figure["low"] is None) != (figure["method"] is not None), key
            assert figure["low"] is None or figure["low"] < figure["high"], key


def test_several_specimens_of_a_patient_are_one_trial():
    table = cohort(20, per_patient=4).assign(probability=0.2)
    figure = evaluate_predictions(table, resamples=40)["figures"]["flip_rate"]
    assert (figure["low"], figure["high"]) == pytest.approx((0, 1 - 0.025 ** (1 / 5)), abs=1e-12)
