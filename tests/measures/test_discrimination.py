"""Discrimination equals scikit-learn's, on the data and on weighted resamples."""

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from scangen_bundle.measures.discrimination import (
    Discrimination,
    Ranking,
    auroc,
    average_precision,
    sensitivity_at,
    youden_threshold,
)
from scangen_bundle.measures.predictions import check_predictions

from .tables import cohort, multi_class, once, repeated


def test_auroc_by_hand():
    assert auroc([0, 1, 0, 1], [0.1, 0.4, 0.35, 0.8]) == 1.0
    assert auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert auroc([0, 0, 1, 1], [0.5, 0.2, 0.5, 0.9]) == 3.5 / 4  # the tie counts half


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_ranks_equal_scikit_learn_with_any_ties(decimals):
    generator = np.random.default_rng(1)
    label, score = generator.integers(2, size=300), generator.random(300)
    score = score if decimals is None else score.round(decimals)
    assert auroc(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-12)
    assert average_precision(label, score) == pytest.approx(average_precision_score(label, score), abs=1e-12)


@pytest.mark.parametrize("decimals", [None, 1])
def test_weights_mean_what_scikit_learn_means_by_them(decimals):
    generator = np.random.default_rng(2)
    label, score = generator.integers(2, size=120), generator.random(120)
    score = score if decimals is None else score.round(decimals)
    weights = generator.integers(4, size=(20, 120)).astype(np.int32)
    figures = Ranking(label == 1, score).figures(weights)
    for row, weight in enumerate(weights):
        expected = roc_auc_score(label, score, sample_weight=weight)
        assert figures["auroc"][row] == pytest.approx(expected, abs=1e-12)
        expected = average_precision_score(label, score, sample_weight=weight)
        assert figures["average_precision"][row] == pytest.approx(expected, abs=1e-12)


def test_one_class_is_undefined_and_constant_scores_are_chance():
    assert np.isnan(auroc([1, 1], [0.2, 0.3]))
    assert np.isnan(average_precision([1, 1], [0.2, 0.3]))
    assert np.isnan(average_precision([0, 0], [0.2, 0.3]))
    assert auroc([0, 1, 1], [0.5, 0.5, 0.5]) == 0.5  # every pair is a tie: by definition, not by default


def test_the_threshold_at_a_sensitivity_is_the_highest_that_keeps_it():
    generator = np.random.default_rng(3)
    score = generator.random(80).round(2)
    label = generator.integers(2, size=80)
    weights = generator.integers(3, size=(15, 80)).astype(np.int32)
    found = Ranking(label == 1, score).threshold_at_sensitivity(weights, 0.8)
    for row, weight in enumerate(weights):
        positives = np.repeat(score[label == 1], weight[label == 1])
        kept = [t for t in np.unique(positives) if (positives >= t).mean() >= 0.8 - 1e-12]
        assert found[row] == max(kept)


def test_youden_threshold_is_the_best_of_scikit_learns_roc():
    generator = np.random.default_rng(4)
    label = generator.integers(2, size=100)
    score = generator.normal(size=100) + label
    threshold = youden_threshold(label, score)
    false, true, _ = roc_curve(label, score)
    reached = (score[label == 1] >= threshold).mean() - (score[label == 0] >= threshold).mean()
    assert reached == pytest.approx((true - false).max(), abs=1e-12)
    assert threshold not in score
    assert sensitivity_at(label, score, threshold) == (score[label == 1] >= threshold).mean()
    assert np.isnan(youden_threshold([1, 1], [0.1, 0.2]))


@pytest.mark.parametrize("decimals", [None, 1])
def test_each_scanner_equals_scikit_learn(decimals):
    table = cohort(decimals=decimals)
    checked = check_predictions(table)
    figures = once(Discrimination(checked, 0.4), len(checked.patients))
    for scanner, rows in table.groupby("scanner"):
        guess = rows.probability >= 0.4
        expected = {
            "auroc": roc_auc_score(rows.label, rows.probability),
            "average_precision": average_precision_score(rows.label, rows.probability),
            "balanced_accuracy": balanced_accuracy_score(rows.label, guess),
            "sensitivity": recall_score(rows.label, guess),
            "specificity": recall_score(rows.label, guess, pos_label=0),
        }
        for name, value in expected.items():
            assert figures[f"{name}/{scanner}"] == pytest.approx(value, abs=1e-12)
    values = [figures[f"auroc/{s}"] for s in "ABC"]
    assert figures["auroc/worst"] == min(values)
    assert figures["auroc/range"] == pytest.approx(max(values) - min(values))
    assert figures["auroc/mean"] == pytest.approx(np.mean(values))


def test_more_classes_are_the_mean_of_one_against_the_rest():
    table = multi_class()
    checked = check_predictions(table)
    figures = once(Discrimination(checked, 0.5), len(checked.patients))
    columns = [f"probability_{c}" for c in range(3)]
    for scanner, rows in table.groupby("scanner"):
        p = rows[columns].to_numpy()
        expected = roc_auc_score(rows.label, p, multi_class="ovr", average="macro")
        assert figures[f"auroc/{scanner}"] == pytest.approx(expected, abs=1e-12)
        expected = np.mean([average_precision_score(rows.label == c, p[:, c]) for c in range(3)])
        assert figures[f"average_precision/{scanner}"] == pytest.approx(expected, abs=1e-12)
        expected = balanced_accuracy_score(rows.label, p.argmax(axis=1))
        assert figures[f"balanced_accuracy/{scanner}"] == pytest.approx(expected, abs=1e-12)


def test_a_weight_is_a_number_of_copies_of_the_patient():
    table = cohort(30, missing=0.2)
    checked = check_predictions(table)
    weights = np.random.default_rng(5).integers(3, size=(1, len(checked.patients))).astype(np.int32)
    weighted = Discrimination(checked, 0.5)(weights)
    copied = check_predictions(repeated(table, weights[0], checked.patients))
    for key, value in once(Discrimination(copied, 0.5), len(copied.patients)).items():
        assert weighted[key][0] == pytest.approx(value, abs=1e-12), key


def test_a_scanner_with_one_class_is_undefined_with_its_reason_and_left_out_of_the_mean():
    table = cohort()
    table.loc[(table.scanner == "B") & (table.label == 1), "label"] = -1
    checked = check_predictions(table)
    statistic = Discrimination(checked, 0.5)
    figures = once(statistic, len(checked.patients))
    assert np.isnan(figures["auroc/B"])
    assert np.isnan(figures["sensitivity/B"])
    assert np.isfinite(figures["specificity/B"])
    assert statistic.reasons["auroc/B"] == "all labelled scans are of class 0 on scanner B"
    assert figures["auroc/mean"] == pytest.approx((figures["auroc/A"] + figures["auroc/C"]) / 2)


def test_unseen_scanners_have_a_mean_of_their_own():
    checked = check_predictions(cohort())
    figures = once(Discrimination(checked, 0.5, unseen=["C"]), len(checked.patients))
    assert figures["auroc/mean_unseen"] == figures["auroc/C"]
    assert figures["auroc/mean_seen"] == pytest.approx((figures["auroc/A"] + figures["auroc/B"]) / 2)
