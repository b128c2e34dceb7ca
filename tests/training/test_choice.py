from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.measures import auroc
from scangen_bundle.training.choice import (
    RULES,
    Candidate,
    choose_in_turn,
    lowest_nll,
    threshold_of,
    within_one_standard_error,
)
from tests.studies.tables import checked, predictions, scans


def candidate(table=None, **options):
    return Candidate(checked(predictions(scans(), **options) if table is None else table))


def test_the_lowest_likelihood_is_taken():
    table = predictions(scans(), seed=0)
    overconfident = table.assign(probability=np.clip(1.5 * table["probability"] - 0.25, 0.001, 0.999))
    coin = table.assign(probability=0.5)
    tables = [coin, overconfident, table, coin]
    losses = []
    for each in tables:
        per_scanner = []
        for _, rows in each.groupby("scanner"):
            of_label = np.where(rows["label"] == 1, rows["probability"], 1 - rows["probability"])
            per_scanner.append(-np.log(of_label).mean())
        losses.append(np.mean(per_scanner))
    assert lowest_nll([candidate(each) for each in tables]) == int(np.argmin(losses))


def test_of_those_that_are_not_told_apart_the_one_that_agrees_most_is_taken():
    noisy, steady = candidate(seed=0, noise=1.0), candidate(seed=0, noise=0.2)
    assert within_one_standard_error([noisy, steady]) == 1
    assert within_one_standard_error([steady, noisy]) == 0


def test_a_network_that_says_the_same_of_everybody_does_not_win():
    good = candidate(seed=0, effect=2.5, noise=0.6)
    table = predictions(scans(), seed=0, effect=0.0, noise=0.0)
    collapsed = candidate(table.assign(probability=0.5 + 0.001 * (table["probability"] - 0.5)))
    assert within_one_standard_error([collapsed, good, collapsed]) == 1


def test_one_standard_error_is_that_of_the_best_candidates_worst_scanner():
    """The set of those that may win, beside a loop over resamples of patients."""
    tables = [predictions(scans(), seed=3, effect=effect) for effect in (0.2, 0.6, 1.0, 1.4, 2.0)]
    worst = [worst_auroc(table) for table in tables]
    best = int(np.argmax(worst))
    rng, samples = np.random.default_rng(1), []
    patients = {label: rows["patient_id"].unique() for label, rows in tables[best].groupby("label")}
    by_patient = dict(list(tables[best].groupby("patient_id")))
    for _ in range(300):
        drawn = np.concatenate([rng.choice(names, len(names)) for names in patients.values()])
        samples.append(worst_auroc(pd.concat([by_patient[name] for name in drawn])))
    eligible = [place for place, value in enumerate(worst) if value >= worst[best] - np.std(samples, ddof=1)]
    agreeing = [
        place for place in range(5) if within_one_standard_error([candidate(tables[p]) for p in (best, place)]) == 1
    ]
    assert set(agreeing) <= set(eligible)
    assert within_one_standard_error([candidate(table) for table in tables]) in eligible


def worst_auroc(table):
    return min(auroc(rows["label"].to_numpy(), rows["probability"].to_numpy()) for _, rows in table.groupby("scanner"))


def test_without_pairs_agreement_has_no_say_and_likelihood_decides():
    table = scans()
    single = table[~table["specimen_id"].duplicated()]
    sharp, dull = (candidate(predictions(single, seed=0, effect=effect, noise=0)) for effect in (3.0, 2.9))
    assert within_one_standard_error([dull, sharp]) == 1
    assert within_one_standard_error([sharp, dull]) == 0


@pytest.mark.parametrize("rule", RULES)
def test_without_labels_the_last_candidate_is_taken(rule):
    tables = [predictions(scans(), seed=seed).assign(label=-1) for seed in range(3)]
    assert RULES[rule]([candidate(table) for table in tables]) == 2


def test_the_threshold_is_the_best_of_validation():
    table = predictions(scans(), seed=5, shift=2.0)
    threshold = threshold_of(checked(table))
    label, probability = table["label"].to_numpy(), table["probability"].to_numpy()

    def youden(value):
        return (probability[label == 1] >= value).mean() - (probability[label == 0] >= value).mean()

    assert youden(threshold) == max(youden(value) for value in probability)
    assert threshold_of(checked(table.assign(label=1))) == 0.5


def test_an_unknown_rule_names_those_that_exist():
    with pytest.raises(InputError, match="one_se"):
        RULES["one"]


def test_in_turn_a_choice_stays_until_a_later_candidate_is_the_choice():
    first, second, third = (candidate(seed=0, effect=effect) for effect in (1.0, 3.0, 0.2))
    assert choose_in_turn(RULES["nll"], [first, second, third]) == 1
    assert choose_in_turn(RULES["last"], [first, second, third]) == 2
    assert choose_in_turn(lambda candidates: 0, [first, second, third]) == 0
    # the third makes the rule go back to the first, whose network a training no longer has
    assert choose_in_turn(lambda candidates: (0, 1, 0)[len(candidates) - 1], [first, second, third]) == 1
