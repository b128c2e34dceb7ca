"""Training sets are as PathoROB draws them, the drop is that of the accuracies, and a planted scanner costs accuracy."""

import json

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from scangen_bundle.measures.confounded_training import DOMAINS, Outcome, draw_plan
from scangen_bundle.measures.evaluate_features import estimate
from scangen_bundle.measures.feature_measure import Measured
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.of_features import performance_drop as module
from scangen_bundle.measures.of_features.performance_drop import (
    PerformanceDrop,
    average_performance_drop,
    performance_drop,
    performance_drops,
)
from scangen_bundle.measures.points import Points

from .generated import change, draw_points, observed, views


@pytest.fixture
def repeats(monkeypatch):
    """Sets the number of repeats."""
    return lambda number: monkeypatch.setattr(module, "REPEATS", number)


def unpaired(patients=60, scanners=3, seed=0):
    """Each patient on one scanner, all combinations of label and scanner alike."""
    generator = np.random.default_rng(seed)
    patient = np.arange(patients)
    values = generator.normal(size=(patients, 8)).astype(np.float32)
    return Points(values, patient, patient, patient % scanners, patient // scanners % 2)


@pytest.mark.parametrize("scans", [draw_points(patients=24), unpaired()], ids=["paired", "unpaired"])
def test_training_sets_keep_their_size_and_lean_ever_more_to_one_scanner(scans):
    plan = draw_plan(scans, 0, 1, np.random.default_rng(0))
    sizes = set()
    for split in range(plan.splits):
        rows = plan.training_rows(split)
        assert len(np.unique(scans.patient[rows])) == len(rows)  # nobody twice
        held = np.concatenate([some for both in plan.validation for some in both])
        tests = np.concatenate(list(plan.test.values()))
        for one, other in ((rows, held), (rows, tests), (held, tests)):
            assert not set(scans.patient[one]) & set(scans.patient[other])
        count = np.array(
            [[((scans.label[rows] == c) & (scans.scanner[rows] == s)).sum() for s in (0, 1)] for c in (0, 1)]
        )
        moved = split * plan.step
        assert count.tolist() == [[plan.half + moved, plan.half - moved], [plan.half - moved, plan.half + moved]]
        sizes.add(len(rows))
    assert len(sizes) == 1
    assert plan.half == (plan.splits - 1) * plan.step  # at last a class is on one scanner only
    assert set(scans.scanner[plan.test["id"]]) == {0, 1}
    assert set(scans.scanner[plan.test["ood"]]) == {2}


def test_paired_training_sets_have_the_same_patients_at_every_split():
    scans = draw_points(patients=24)
    plan = draw_plan(scans, 0, 1, np.random.default_rng(0))
    assert len({tuple(sorted(scans.patient[plan.training_rows(split)])) for split in range(plan.splits)}) == 1


def test_drop_is_that_of_the_balanced_accuracies_and_follows_the_weights():
    scans = draw_points(patients=24)
    generator = np.random.default_rng(0)
    rows = [np.flatnonzero(np.isin(scans.patient, generator.choice(24, 12, replace=False))) for _ in range(3)]
    tested = {d: [Outcome(some, generator.random((4, len(some))) < 0.7) for some in rows] for d in DOMAINS}
    weights = np.stack([np.ones(24, int), generator.integers(1, 3, size=24)])
    found = PerformanceDrop(tested, scans)(weights)["performance_drop/id"]
    by_hand, of_means = [], []
    for weight in weights:
        accuracies = np.empty((4, 3))
        for repeat, one in enumerate(tested["id"]):
            times = np.repeat(np.arange(len(one.rows)), weight[scans.patient[one.rows]])
            truth = scans.label[one.rows][times]
            for split in range(4):
                guess = np.where(one.right[split][times], truth, 1 - truth)
                accuracies[split, repeat] = balanced_accuracy_score(truth, guess)
        by_hand.append(average_performance_drop(accuracies))
        of_means.append((accuracies.mean(axis=1)[1:] / accuracies.mean(axis=1)[0]).mean() - 1)
    assert found[0] == pytest.approx(by_hand[0])
    assert found[1] - found[0] == pytest.approx(of_means[1] - of_means[0])
    assert found[1] == pytest.approx(by_hand[1], abs=0.02)


def test_a_planted_scanner_costs_accuracy_and_none_costs_little(repeats):
    repeats(4)
    confounded = observed(performance_drop(views(draw_points(scanner_effect=3.0, label_effect=0.7))))
    robust = observed(performance_drop(views(draw_points(scanner_effect=0.0, label_effect=2.0))))
    assert confounded["performance_drop/id"] < -0.08
    assert robust["performance_drop/id"] == pytest.approx(0, abs=0.05)
    repeats(2)
    note = performance_drop(views(draw_points(label_effect=3.0))).notes["performance_drop/id"]
    assert note.startswith("balanced accuracy 1.00 where label and scanner are independent; 2 repeats on")


def test_a_drop_that_no_resample_moves_has_the_exact_interval_of_changed_guesses():
    scans = draw_points(patients=24)
    rows = np.flatnonzero(np.isin(scans.patient, np.arange(10)))
    right = np.tile(np.arange(len(rows)) % 4 > 0, (4, 1))  # three of four are right, whatever the correlation
    drop = PerformanceDrop({domain: [Outcome(rows, right)] for domain in DOMAINS}, scans)
    start = drop.start("id")
    fewest = min(len(np.unique(scans.patient[rows][scans.label[rows] == c])) for c in (0, 1))
    most = stats.binomtest(0, fewest).proportion_ci(0.95, method="exact").high / start
    assert drop.exact["performance_drop/id"] == pytest.approx((-most, most))
    found = estimate(Measured([drop], scans.patients, exact=drop.exact), 100, 0)["performance_drop/id"]
    assert (found.value, found.method) == (pytest.approx(0), "exact")
    assert (found.low, found.high) == drop.exact["performance_drop/id"]
    right = right.copy()
    right[2, 0] = not right[2, 0]
    assert PerformanceDrop({domain: [Outcome(rows, right)] for domain in DOMAINS}, scans).exact == {}


def test_repeats_with_other_numbers_of_splits_each_count_with_their_own_drop():
    scans = draw_points(patients=24)
    generator = np.random.default_rng(0)
    outcomes, drops = [], []
    for splits in (4, 4, 7):
        rows = np.flatnonzero(np.isin(scans.patient, generator.choice(24, 12, replace=False)))
        outcomes.append(Outcome(rows, generator.random((splits, len(rows))) < 0.7))
        truth = scans.label[rows]
        accuracy = [balanced_accuracy_score(truth, np.where(r, truth, 1 - truth)) for r in outcomes[-1].right]
        drops.append(np.mean([a / accuracy[0] for a in accuracy[1:]]) - 1)
    statistic = PerformanceDrop(dict.fromkeys(DOMAINS, outcomes), scans)
    weights = np.stack([np.ones(24, int), generator.integers(1, 3, size=24)])
    values = statistic(weights)["performance_drop/id"]
    assert values[0] == pytest.approx(np.mean(drops))
    assert np.isfinite(values[1])


def test_scanners_with_other_numbers_of_patients_are_measured(repeats):
    repeats(6)
    scans = draw_points(scanner_effect=1.0, label_effect=1.0, patients=40)
    scans = scans[np.flatnonzero((scans.scanner < 2) | (scans.patient < 24))]
    measured = performance_drop(views(scans))
    assert np.isfinite(observed(measured)["performance_drop/id"])
    assert measured.notes["performance_drop/id"].endswith("6 to 12 training scans per class, in 4 to 7 splits")


def test_what_is_undefined_says_why(repeats):
    repeats(1)
    scans = draw_points(patients=24, scanners=2)
    reasons = performance_drop(views(scans)).statistics[0].reasons
    assert "no test scan on another scanner" in reasons["performance_drop/ood"]
    for points, reason in (
        (scans[np.flatnonzero(scans.patient < 4)], "enough patients"),
        (change(scans, scanner=0), "one scanner only"),
        (change(scans, label=-1), "no labels"),
    ):
        with pytest.raises(UndefinedMeasure, match=reason):
            performance_drop(views(points))


def test_drop_by_hand():
    drops = performance_drops(np.array([[0.8, 1.0], [0.8, 0.5], [0.4, 0.5]]))
    assert drops.tolist() == pytest.approx([-0.25, -0.5])
    assert average_performance_drop(np.array([[0.8], [0.8], [0.4]])) == pytest.approx(-0.25)


@pytest.mark.parametrize("domain", ["id", "ood"])
def test_the_published_drop_follows_from_the_published_accuracies(real_data, domain):
    folder = real_data / "reference"
    raw = json.loads((folder / "pathorob_uni2h_camelyon_apd_raw.json").read_text())
    summary = json.loads((folder / "pathorob_uni2h_camelyon_apd_summary.json").read_text())
    accuracies = np.array(raw[f"{domain.upper()}_test_accuracies"])
    assert average_performance_drop(accuracies) == pytest.approx(summary[f"apd_{domain}"], abs=1e-10)


def test_no_accuracy_at_the_start_is_undefined():
    assert np.isnan(performance_drops(np.array([[0.0], [0.5]]))[0])


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="at least two splits"):
        performance_drops(np.array([[0.5, 0.6]]))
