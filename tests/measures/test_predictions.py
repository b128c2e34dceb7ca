"""Wrong tables are refused with the row; right ones keep every identity."""

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.measures.predictions import check_predictions

from .tables import cohort, multi_class


def changed(row, column, value):
    table = cohort(4).astype({"label": object, "probability": object})
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (cohort(4).drop(columns="patient_id"), "columns are missing: patient_id"),
        (cohort(4).drop(columns="probability"), "expected a column 'probability'"),
        (cohort(4).assign(probability_0=0.5), "both 'probability' and 'probability_<class>'"),
        (cohort(4).head(0), "no rows"),
        (pd.concat([cohort(4), cohort(4).iloc[[2]]]), r"slide_id occurs twice: row 13 \('s0C'\)"),
        (changed(1, "scanner", ""), "scanner is empty: row 2"),
        (changed(1, "scanner", None), "scanner is empty: row 2"),
        (changed(1, "scanner", "B "), r"scanner begins or ends with a space: row 2 \('B '\)"),
        (changed(1, "scanner", "mean"), "named 'mean'"),
        (changed(3, "probability", np.nan), r"probability is no finite number: row 4"),
        (changed(3, "probability", np.inf), r"probability is no finite number: row 4"),
        (changed(3, "probability", "high"), r"probability is no finite number: row 4 \('high'\)"),
        (changed(5, "probability", 1.01), r"probability is not from 0 to 1: row 6 \(1.01\)"),
        (changed(5, "probability", -0.1), r"probability is not from 0 to 1: row 6"),
        (changed(0, "label", 2), r"label is not one of 0 to 1"),
        (changed(0, "label", 0.5), r"label is not one of 0 to 1"),
        (changed(0, "label", "EGFR"), r"label is not one of 0 to 1 .*'EGFR'"),
        (changed(1, "label", 1 - cohort(4).label[1]), r"the specimen has two labels: row"),
        (changed(1, "patient_id", "p9"), r"the specimen has two patients: row"),
        (multi_class(4).assign(probability_0=0.9), "do not sum to 1"),
        (multi_class(4).drop(columns="probability_1"), "found probability_0, probability_2"),
    ],
)
def test_a_wrong_table_is_refused_with_its_row(table, message):
    with pytest.raises(ValueError, match=message):
        check_predictions(table)


def test_every_scan_keeps_its_identity():
    table = cohort(7, missing=0.3).sample(frac=1, random_state=1)
    checked = check_predictions(table)
    assert [checked.specimens[i] for i in checked.specimen] == table.specimen_id.tolist()
    assert [checked.patients[i] for i in checked.patient] == table.patient_id.tolist()
    assert [checked.scanners[i] for i in checked.scanner] == table.scanner.tolist()
    assert [checked.patients[checked.specimen_patient[i]] for i in checked.specimen] == table.patient_id.tolist()
    np.testing.assert_array_equal(checked.probability[:, 1], table.probability)


def test_empty_and_minus_one_labels_are_unlabelled_and_do_not_conflict():
    table = cohort(4).astype({"label": object})
    table.loc[0, "label"], table.loc[1, "label"] = "", -1
    assert check_predictions(table).label[:3].tolist() == [-1, -1, int(table.label[2])]


def test_strata_are_the_sets_of_labels_of_a_patient():
    table = cohort(8)
    strata = check_predictions(table).strata()
    sets = table.groupby("patient_id")["label"].agg(lambda labels: tuple(sorted(set(labels))))
    for i in range(len(sets)):
        for j in range(len(sets)):
            assert (strata[i] == strata[j]) == (sets.iloc[i] == sets.iloc[j])
