"""The figure of two qualities with its Pareto front."""

from __future__ import annotations

import numpy as np
import pytest

from scangen_bundle.report.figures import pareto_front


def test_pareto_front_holds_what_nothing_dominates():
    points = {"a": (0.5, 0.9), "b": (0.7, 0.7), "c": (0.6, 0.6), "d": (0.9, 0.1), "e": (0.9, 0.05)}
    assert pareto_front(points) == ["a", "b", "d"]
    assert pareto_front({"a": (1, 1), "b": (1, 1)}) == ["a", "b"]


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_that_of_a_loop_over_all_pairs(seed):
    points = {
        str(i): tuple(point) for i, point in enumerate(np.random.default_rng(seed).integers(0, 4, (12, 2)).tolist())
    }
    front = pareto_front(points)
    for name, (x, y) in points.items():
        beaten = False
        for u, v in points.values():
            if u >= x and v >= y and (u, v) != (x, y):
                beaten = True
        assert (name in front) == (not beaten)
