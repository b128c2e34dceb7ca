"""The Pareto front by hand; a table of pairs is symmetric."""

import numpy as np

from scangen_bundle.encoder_benchmark.leaderboard import advice
from scangen_bundle.measures.feature_measure import feature_measures
from scangen_bundle.report.figures import pair_heatmap
from scangen_bundle.statistics.estimate import Estimate


def test_heatmap_shows_each_pair_on_both_sides():
    figure = pair_heatmap({"a | b": 0.5, "a | c": 0.25, "b | c": 1.0})
    table = np.asarray(figure.axes[0].images[0].get_array().filled(np.nan))
    assert table[0, 1] == table[1, 0] == 0.5
    assert np.isnan(np.diag(table)).all()
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["0.25", "0.25", "0.50", "0.50", "1.00", "1.00"]


def encoders(**points):
    """Results with a task and a robustness measure each."""
    task = [m.key for m in feature_measures().values() if m.scatter == "task"][-1]
    robust = next(m.key for m in feature_measures().values() if m.scatter == "robustness")
    return {
        name: {"figures": {task: Estimate(x).to_json(), robust: Estimate(y).to_json()}}
        for name, (x, y) in points.items()
    }


def test_advice_takes_the_encoder_that_is_best_in_both():
    assert "Of these encoders, take good: it is best in both" in advice(encoders(good=(0.9, 0.8), bad=(0.7, 0.5)))


def test_advice_names_both_where_none_is_best_in_both():
    text = advice(encoders(sharp=(0.9, 0.5), steady=(0.7, 0.8), worse=(0.6, 0.4)))
    assert "sharp predicts best" in text
    assert "steady is the least sensitive to the scanner" in text
    assert advice(encoders(only=(0.9, 0.5))) == ""
