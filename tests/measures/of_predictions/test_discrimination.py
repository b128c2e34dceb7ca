"""Discrimination equals scikit-learn's, on the data and on weighted resamples."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, recall_score, roc_auc_score

from scangen_bundle.measures.predictions import check_predictions

from ..tables import cohort, measures_of, multi_class, observed, repeated, statistic_of

NAMES = measures_of("discrimination")


@pytest.mark.parametrize("decimals", [None, 1])
def test_each_scanner_equals_scikit_learn(decimals):
    table = cohort(decimals=decimals)
    figures = observed(table, NAMES, 0.4)
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
    figures = observed(table, NAMES)
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
    weighted = statistic_of(checked, NAMES)(weights)
    copied = check_predictions(repeated(table, weights[0], checked.patients))
    for key, value in observed(copied, NAMES).items():
        assert weighted[key][0] == pytest.approx(value, abs=1e-12), key


def test_a_scanner_with_one_class_is_undefined_with_its_reason_and_left_out_of_the_mean():
    table = cohort()
    table.loc[(table.scanner == "B") & (table.label == 1), "label"] = -1
    statistic = statistic_of(table, NAMES)
    figures = statistic.observed()
    assert np.isnan(figures["auroc/B"])
    assert np.isnan(figures["sensitivity/B"])
    assert np.isfinite(figures["specificity/B"])
    assert statistic.reasons["auroc/B"] == "all labelled scans are of class 0 on scanner B"
    assert figures["auroc/mean"] == pytest.approx((figures["auroc/A"] + figures["auroc/C"]) / 2)


def test_unseen_scanners_have_a_mean_of_their_own():
    figures = observed(cohort(), NAMES, unseen=["C"])
    assert figures["auroc/mean_unseen"] == figures["auroc/C"]
    assert figures["auroc/mean_seen"] == pytest.approx((figures["auroc/A"] + figures["auroc/B"]) / 2)
