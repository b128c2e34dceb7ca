"""AUROC, average precision and thresholds equal scikit-learn's, also with weights."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from scangen_bundle.measures.ranking import Ranking, auroc, average_precision, sensitivity_at, youden_threshold


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
    ranking = Ranking(label == 1, score).weighted(weights)
    figures = {"auroc": ranking.auroc(), "average_precision": ranking.average_precision()}
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
    found = Ranking(label == 1, score).weighted(weights).threshold_at_sensitivity(0.8)
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
