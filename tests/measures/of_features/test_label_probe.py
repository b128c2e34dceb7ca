"""The label probe finds a planted label, and says why it is undefined."""

import pytest

from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.of_features.label_probe import label_probe

from .generated import change, draw_points, observed, views


def test_a_planted_label_is_told():
    measured = label_probe(views(draw_points(0, 3)))
    assert observed(measured)["label_probe/linear"] > 0.95
    assert measured.baselines == {"label_probe/linear": 0.5}


@pytest.mark.parametrize(("label", "reason"), [(-1, "no labels"), (0, "one class only")])
def test_what_is_undefined_says_why(label, reason):
    with pytest.raises(UndefinedMeasure, match=reason):
        label_probe(views(change(draw_points(), label=label)))
