"""Specimens in the order in which a person wants to see them."""

import numpy as np
import pandas as pd

from scangen_bundle.report.ranking import rank_specimens


def test_flips_come_first_then_the_largest_spread_and_a_missing_score_is_a_gap():
    scores = {"calm": (0.2, 0.21), "wide": (0.6, 0.99), "flips": (0.45, 0.55), "once": (0.7, np.nan)}
    rows = [(n, f"p-{n}", s, 1, v) for n, both in scores.items() for s, v in zip("AB", both, strict=True)]
    table = pd.DataFrame(rows, columns=["specimen_id", "patient_id", "scanner", "label", "probability"])
    ranked = rank_specimens(table, ["B", "A"], 0.5)
    assert ranked.names == ["flips", "wide", "calm", "once"]
    assert ranked.patients[0] == "p-flips"
    np.testing.assert_allclose(ranked.scores[0], [0.55, 0.45])
    assert np.isnan(ranked.scores[3, 0])
    assert list(ranked.flips) == [True, False, False, False]


def test_with_three_classes_the_score_is_that_of_the_label():
    rows = [("s", "p", scanner, 2, 0.1, 0.2, 0.7) for scanner in "AB"]
    columns = ["specimen_id", "patient_id", "scanner", "label", "probability_0", "probability_1", "probability_2"]
    ranked = rank_specimens(pd.DataFrame(rows, columns=columns), ["A", "B"], None)
    np.testing.assert_allclose(ranked.scores, [[0.7, 0.7]])
    assert ranked.classes.tolist() == [[2.0, 2.0]]
