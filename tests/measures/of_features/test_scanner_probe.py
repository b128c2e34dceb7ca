"""Scanner probes find a planted scanner, their recalls make up the balanced accuracy, and one scanner is no question."""

import numpy as np
import pytest

from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.of_features.scanner_probe import scanner_probe

from .generated import change, draw_points, observed, views


def test_a_planted_scanner_is_told_and_none_is_chance():
    assert observed(scanner_probe(views(draw_points(3.0))))["scanner_probe/linear"] > 0.9
    measured = scanner_probe(views(draw_points()))
    for key in ("scanner_probe/linear", "scanner_probe/knn"):
        assert observed(measured)[key] == pytest.approx(measured.baselines[key], abs=0.15)


def test_the_mean_recall_of_scanners_is_the_balanced_accuracy():
    values = observed(scanner_probe(views(draw_points(1.0))))
    recalls = [values[f"scanner_recall/linear@scanner{code}"] for code in range(3)]
    assert np.mean(recalls) == pytest.approx(values["scanner_probe/linear"])


@pytest.mark.parametrize(("codes", "reason"), [({"scanner": 0}, "one scanner"), ({"patient": 0}, "one patient")])
def test_one_scanner_or_one_patient_have_no_probe(codes, reason):
    with pytest.raises(UndefinedMeasure, match=reason):
        scanner_probe(views(change(draw_points(), **codes)))
