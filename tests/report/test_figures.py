"""What is written in the figures can be read."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.report.figures.agreement import bland_altman_figure


@pytest.mark.parametrize("spread", [0.0, 0.0005, 0.02, 0.6])
def test_the_labels_of_bland_altman_never_overlap(spread):
    first = np.linspace(0.2, 0.8, 9)
    pairs = pd.DataFrame({"first": first, "second": first + spread * np.resize([1, -1, 0.5], 9), "label": 0})
    figure = bland_altman_figure(pairs, ("A", "B"), ("negative", "positive"))
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 3
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
