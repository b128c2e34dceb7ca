import math

import numpy as np

from scangen_bundle.share.conformal import conformal_quantile, patient_scores, prediction_set


def test_quantile_is_the_corrected_order_statistic():
    score = np.array([0.9, 0.1, 0.3, 0.5, 0.7, 0.2, 0.4, 0.6, 0.8])  # n = 9: ceil(10 * 0.8) = 8th smallest
    assert conformal_quantile(score, 0.8) == 0.8
    assert conformal_quantile(score, 0.9) == 0.9
    assert conformal_quantile(score, 0.95) == math.inf
    assert conformal_quantile(np.array([]), 0.5) == math.inf


def test_a_patient_counts_once_with_the_worst_scan():
    probability = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    scores = patient_scores(probability, np.array([0, 0, 1]), np.array(["b", "b", "a"]))
    np.testing.assert_allclose(scores, [0.2, 0.6])


def test_set_holds_what_the_quantile_leaves_possible():
    assert prediction_set(np.array([0.9, 0.1]), 0.5) == [0]
    assert prediction_set(np.array([0.5, 0.5]), 0.6) == [0, 1]
    assert prediction_set(np.array([0.9, 0.1]), math.inf) == [0, 1]


def test_coverage_on_new_patients_is_at_least_the_level():
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        logits = rng.normal(size=60)
        label = (rng.random(60) < 1 / (1 + np.exp(-logits))).astype(int)
        p = 1 / (1 + np.exp(-2 * logits))  # overconfident on purpose
        probability = np.stack([1 - p, p], axis=1)
        quantile = conformal_quantile(patient_scores(probability[:40], label[:40], np.arange(40)), 0.9)
        held += [label[i] in prediction_set(probability[i], quantile) for i in range(40, 60)]
    assert 0.9 - 0.01 < np.mean(held) < 0.9 + 1 / 41 + 0.01
