"""Values of tiles, and their spread over scanners."""

import numpy as np
import pytest
from scipy.stats import rankdata

from scangen_bundle.viewer.overlays import (
    TileValues,
    attention_rank,
    overlay_json,
    relative_attention,
    spread_over_scanners,
    spread_scores,
)


def grid(count, side, shift=(0.0, 0.0)):
    """Centres of count x count tiles."""
    y, x = np.indices((count, count))
    return np.stack([x.ravel(), y.ravel()], axis=1) * side + side / 2 + shift


def test_ranks_are_those_of_scipy_as_shares():
    values = np.random.default_rng(0).integers(0, 8, 40).astype(float)
    assert attention_rank(values) == pytest.approx((rankdata(values) - 1) / 39)
    assert attention_rank(np.array([1.0])) == pytest.approx([0.0])


def test_an_average_tile_has_attention_1():
    assert relative_attention(np.full(8, 1 / 8)) == pytest.approx(np.ones(8))


def test_the_spread_of_tiles_at_one_place_is_their_standard_deviation():
    generator = np.random.default_rng(1)
    scores = [generator.uniform(size=(16, 1)) for _ in range(3)]
    centres = [grid(4, 1.0), grid(4, 1.0), grid(4, 1.0)]
    spreads = spread_over_scanners(centres, scores, [0.75] * 3)
    expected = np.std(np.hstack(scores), axis=1, ddof=1)
    for spread in spreads:
        assert spread == pytest.approx(expected)


def test_the_nearest_tile_counts_and_only_within_reach():
    scores = [np.array([[0.2]]), np.array([[0.9], [0.4]])]
    centres = [np.array([[0.0, 0.0]]), np.array([[0.9, 0.0], [0.3, 0.3]])]
    near, far = spread_over_scanners(centres, scores, [0.5, 0.5])
    assert near == pytest.approx([np.std([0.2, 0.4], ddof=1)])
    assert np.isnan(far[0])
    assert far[1] == pytest.approx(np.std([0.2, 0.4], ddof=1))


def test_of_several_classes_the_one_that_spreads_most_counts():
    scores = [np.array([[0.5, 0.3, 0.2]]), np.array([[0.5, 0.1, 0.4]])]
    spread, _ = spread_over_scanners([np.zeros((1, 2))] * 2, scores, [1.0, 1.0])
    assert spread == pytest.approx([np.std([0.2, 0.4], ddof=1)])


def test_a_scan_without_tiles_is_no_error():
    spreads = spread_over_scanners(
        [np.zeros((0, 2)), np.zeros((1, 2))], [np.zeros((0, 1)), np.ones((1, 1))], [1.0, 1.0]
    )
    assert [len(spread) for spread in spreads] == [0, 1]
    assert np.isnan(spreads[1]).all()


def test_attention_ranks_are_taken_where_one_scan_has_no_probabilities():
    corners, side = np.array([[0, 0], [10, 0]]), (10.0, 10.0)
    probability = np.array([[0.9, 0.1], [0.4, 0.6]])
    whole = TileValues(corners, side, np.array([0.3, 0.7]), probability)
    name, scores = spread_scores([whole, None, whole])
    assert name == "probability"
    assert scores[1] is None
    assert scores[0][:, 0] == pytest.approx([0.1, 0.6])
    name, scores = spread_scores([whole, TileValues(corners, side, np.array([0.8, 0.2]))])
    assert name == "attention"
    assert [score[:, 0].tolist() for score in scores] == [[0.0, 1.0], [1.0, 0.0]]
    assert spread_scores([None, TileValues(corners, side)])[1] == [None, None]


def test_the_browser_gets_display_px_and_none_for_what_is_not_defined():
    tiles = TileValues(np.array([[0, 0], [100, 50]]), (50.0, 50.0), np.array([0.25, 0.75]))
    told = overlay_json(tiles, (0.5, 1.0), np.array([0.1234567, np.nan]))
    assert told["x"] == [0, 200]
    assert told["y"] == [0, 50]
    assert told["side"] == [100.0, 50.0]
    assert told["values"] == {"attention": [0.5, 1.5], "spread": [0.12346, None]}
