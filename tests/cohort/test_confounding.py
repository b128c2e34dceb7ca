import logging
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency
from scipy.stats.contingency import association
from sklearn.metrics import roc_auc_score

from scangen_bundle.cohort.confounding import confounding_report, cramers_v, scanner_label_table

TABLES = [
    [[10, 20], [20, 10]],
    [[5, 0], [3, 9]],
    [[12, 7, 3], [4, 4, 18], [9, 1, 2], [30, 25, 28]],
    [[3, 50, 2, 7, 9], [11, 1, 0, 40, 4]],
]


def cohort(counts: dict[tuple[str, int], int]) -> pd.DataFrame:
    """Unpaired specimens: so many per (scanner, label)."""
    rows = [(f"{s}{y}_{i}", s, y) for (s, y), count in counts.items() for i in range(count)]
    return pd.DataFrame(rows, columns=["specimen_id", "scanner", "label"])


@pytest.mark.parametrize("table", TABLES)
def test_plain_v_equals_scipy(table):
    assert cramers_v(np.array(table)) == pytest.approx(association(np.array(table), method="cramer", correction=False))


def test_corrected_v_equals_hand_calculation():
    # chi2 = 4 * 5^2 / 15 = 20/3, phi2 = 1/9; minus 1/59; R = C = 2 - 1/59.
    assert cramers_v(np.array([[10, 20], [20, 10]]), corrected=True) == pytest.approx(
        math.sqrt((1 / 9 - 1 / 59) / (1 - 1 / 59))
    )


def test_corrected_v_of_an_uneven_table_equals_hand_calculation():
    # n = 20; expected counts 3 and 4.5, 2.5 ... by hand: rows 10, 6, 4; columns 12, 8.
    table = np.array([[9, 1], [2, 4], [1, 3]])
    chi2 = 9 / 6 + 9 / 4 + 1.6**2 / 3.6 + 1.6**2 / 2.4 + 1.4**2 / 2.4 + 1.4**2 / 1.6
    assert cramers_v(table, corrected=True) == pytest.approx(math.sqrt((chi2 / 20 - 2 / 19) / (2 - 1 / 19 - 1)))


def test_correction_takes_away_the_bias_of_independent_tables():
    generator = np.random.default_rng(0)
    scanner, label = generator.integers(0, 5, (200, 60)), generator.integers(0, 2, (200, 60))
    tables = [pd.crosstab(s, y).to_numpy() for s, y in zip(scanner, label, strict=True)]
    assert np.mean([cramers_v(t) for t in tables]) > 0.2
    assert np.mean([cramers_v(t, corrected=True) for t in tables]) < 0.1


@pytest.mark.parametrize("corrected", [False, True])
def test_v_is_one_where_the_scanner_tells_the_label_and_zero_for_independence(corrected):
    assert cramers_v(np.diag([5, 7]), corrected=corrected) == pytest.approx(1.0)
    assert cramers_v(np.array([[4, 8], [6, 12]]), corrected=corrected) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("table", [[[3, 4]], [[3], [4]], [[3, 0], [4, 0]], [[0, 0], [0, 0]], np.zeros((0, 0))])
def test_v_is_undefined_for_one_scanner_or_one_label(table):
    assert math.isnan(cramers_v(np.array(table)))
    assert math.isnan(cramers_v(np.array(table), corrected=True))


def test_corrected_v_is_undefined_for_as_many_specimens_as_categories():
    assert math.isnan(cramers_v(np.array([[1, 0], [0, 1]]), corrected=True))


def test_v_among_equal_groups_is_the_auroc_of_knowing_the_scanner():
    frame = cohort({("A", 0): 12, ("A", 1): 8, ("B", 0): 8, ("B", 1): 12})
    v = confounding_report(frame).cramers_v
    assert roc_auc_score(frame["label"], frame["scanner"] == "B") == pytest.approx((1 + v) / 2)


def test_table_counts_labelled_specimens_once_per_scanner_and_keeps_unlabelled_scanners():
    frame = pd.DataFrame(
        [("s", "A", 1), ("s", "A", 1), ("s", "B", 1), ("t", "A", 0), ("u", "A", -1), ("u", "C", -1)],
        columns=["specimen_id", "scanner", "label"],
    ).assign(slide_id=list("abcdef"))
    table = scanner_label_table(frame)
    assert table.to_numpy().tolist() == [[1, 1], [0, 1], [0, 0]]
    assert table.index.tolist() == ["A", "B", "C"]
    assert table.columns.tolist() == [0, 1]


def test_scan_without_label_before_its_labelled_rescan_does_not_hide_the_label():
    frame = pd.DataFrame([("s", "A", -1), ("s", "A", 1)], columns=["specimen_id", "scanner", "label"])
    assert scanner_label_table(frame).to_numpy().tolist() == [[1]]


def test_pairs_count_specimens_that_both_scanners_digitised():
    frame = pd.DataFrame(
        [("s", "A", 1), ("s", "A", 1), ("s", "B", 1), ("t", "A", 0), ("t", "B", 0), ("t", "C", 0), ("u", "A", -1)],
        columns=["specimen_id", "scanner", "label"],
    )
    paired = confounding_report(frame).paired
    assert paired.loc[["A", "B", "C"], ["A", "B", "C"]].to_numpy().tolist() == [[3, 2, 1], [2, 2, 1], [1, 1, 1]]


def test_p_value_equals_scipy():
    frame = cohort({("A", 0): 12, ("A", 1): 7, ("B", 0): 4, ("B", 1): 18, ("C", 0): 9, ("C", 1): 2})
    expected = chi2_contingency([[12, 7], [4, 18], [9, 2]], correction=False).pvalue
    assert confounding_report(frame).p_value == pytest.approx(expected)


def test_confounded_cohort_is_warned_about_with_its_table(caplog):
    with caplog.at_level(logging.WARNING):
        report = confounding_report(cohort({("A", 0): 30, ("A", 1): 10, ("B", 0): 10, ("B", 1): 30}))
    assert report.cramers_v == pytest.approx(0.5)
    assert "scanner and label are confounded" in caplog.text
    assert "30" in caplog.text


def test_balanced_cohort_is_not_warned_about(caplog):
    with caplog.at_level(logging.WARNING):
        report = confounding_report(cohort({("A", 0): 20, ("A", 1): 20, ("B", 0): 22, ("B", 1): 18}))
    assert caplog.text == ""
    assert report.one_class_scanners == ()


def test_scanner_with_one_class_is_named(caplog):
    report = confounding_report(cohort({("A", 0): 20, ("A", 1): 20, ("B", 1): 2}))
    assert report.one_class_scanners == ("B",)
    assert "AUROC is undefined: B" in caplog.text


def test_unlabelled_cohort_is_undefined_without_a_warning(caplog):
    report = confounding_report(cohort({("A", -1): 3, ("B", -1): 3}))
    assert math.isnan(report.cramers_v)
    assert math.isnan(report.p_value)
    assert caplog.text == ""
