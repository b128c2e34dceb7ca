"""What is written in the figures can be read."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.report.figures.agreement import bland_altman_figure
from scangen_bundle.report.figures.history import history_figure


@pytest.mark.parametrize("spread", [0.0, 0.0005, 0.02, 0.6])
def test_the_labels_of_bland_altman_never_overlap(spread):
    first = np.linspace(0.2, 0.8, 9)
    pairs = pd.DataFrame({"first": first, "second": first + spread * np.resize([1, -1, 0.5], 9), "label": 0})
    figure = bland_altman_figure(pairs, ("A", "B"), ("negative", "positive"))
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 3
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


@pytest.mark.parametrize("epochs", [[5], [1, 2], list(range(1, 31))])
def test_epochs_are_whole_numbers_on_the_axis(epochs):
    history = pd.DataFrame({"val/auroc/mean": 0.8}, index=epochs)
    figure = history_figure(history, ["val/auroc/mean"], "AUROC")
    figure.canvas.draw()
    low, high = figure.axes[0].get_xlim()
    ticks = [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high]
    assert ticks
    assert all(float(tick).is_integer() for tick in ticks)
