"""Cosines of same and of other tissue equal loops, also on data repeated as the weights say."""

from itertools import combinations

import numpy as np
import pytest

from scangen_bundle.measures.of_features.cosine import CosineGap, pair_cosines

from .generated import WEIGHTS, draw_places


def test_cosine_of_same_and_of_other_tissue_by_loops():
    places = draw_places()
    unit, patient = places.unit, places.patient
    values = CosineGap(unit, patient)(np.stack([np.ones(5), WEIGHTS]))
    same = np.mean([[x[a] @ x[b] for a, b in combinations(range(3), 2)] for x in unit])
    n = range(len(unit))
    other = np.mean([unit[i, s] @ unit[j, s] for s in range(3) for i in n for j in n if i != j])
    assert values["cosine/same_tissue"][0] == pytest.approx(same, abs=1e-6)
    assert values["cosine/other_tissue"][0] == pytest.approx(other, abs=1e-6)
    copies = [(i, copy) for p, w in enumerate(WEIGHTS) for copy in range(w) for i in np.flatnonzero(patient == p)]
    allowed = [
        (i, j)
        for i, first in copies
        for j, second in copies
        if i != j and (patient[i] != patient[j] or first == second)
    ]
    expected = np.mean([unit[i, s] @ unit[j, s] for s in range(3) for i, j in allowed])
    assert values["cosine/other_tissue"][1] == pytest.approx(expected, abs=1e-6)
    assert values["cosine/gap"][1] == values["cosine/same_tissue"][1] - values["cosine/other_tissue"][1]


def test_pairs_have_the_mean_cosine_of_their_places():
    places = draw_places()
    expected = np.mean([x[0] @ x[2] for x in places.unit])
    assert pair_cosines(places)[0, 2] == pytest.approx(expected, abs=1e-6)
    assert places.pair_names[0, 2] == "s0 | s2"
