"""The Pareto front by hand; a table of pairs is symmetric."""

import numpy as np

from scangen_bundle.report.figures import pair_heatmap


def test_heatmap_shows_each_pair_on_both_sides():
    figure = pair_heatmap({"a | b": 0.5, "a | c": 0.25, "b | c": 1.0})
    table = np.asarray(figure.axes[0].images[0].get_array().filled(np.nan))
    assert table[0, 1] == table[1, 0] == 0.5
    assert np.isnan(np.diag(table)).all()
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["0.25", "0.25", "0.50", "0.50", "1.00", "1.00"]
