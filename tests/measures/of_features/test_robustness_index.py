"""The index equals croma's and the published ones, and follows what was planted."""

import numpy as np
import pandas as pd
import pytest
from croma import RobustnessIndex

from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.neighbours import NeighbourCounts, nearest, neighbour_counts
from scangen_bundle.measures.of_features.robustness_index import robustness, robustness_index

from .generated import change, draw_embeddings, draw_points, observed, views


@pytest.mark.parametrize("k", [1, 5, 11])
def test_robustness_index_equals_cromas(k):
    values, patient, _, scanner, label = draw_embeddings()
    manifest = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(len(values))],
            "image_path": "x",
            "label": [f"class{c}" for c in label],
            "group_id": [f"p{i}" for i in patient],
            "scanner": [f"scanner{i}" for i in scanner],
        }
    )
    expected = RobustnessIndex.compute_curve(
        values.astype(np.float64), manifest, confounder_column="scanner", k_values=[k]
    )[k]
    counts = neighbour_counts(nearest(values, patient, k), label, scanner, k)
    assert robustness_index(counts) == pytest.approx(expected, abs=1e-10)
    assert (counts.ss + counts.so + counts.os + counts.oo == k).all()


def test_the_published_robustness_index_follows_from_the_published_counts(real_data):
    published = pd.read_csv(real_data / "reference" / "pathorob_uni2h_robustness_index.csv")
    for row in published.itertuples():
        shares = (np.array([value]) for value in (0, row.so_cum_norm_at_k, row.os_cum_norm_at_k, 0))
        counts = NeighbourCounts(*shares, row.k_opt)
        assert robustness_index(counts) == pytest.approx(row.ri, abs=1e-10)


def test_robustness_index_follows_what_was_planted():
    indices = []
    for scanner_effect, label_effect in ((0.0, 3.0), (3.0, 0.0)):
        values, patient, _, scanner, label = draw_embeddings(scanner_effect=scanner_effect, label_effect=label_effect)
        indices.append(robustness_index(neighbour_counts(nearest(values, patient, 5), label, scanner, 5)))
    assert indices[0] > 0.9
    assert indices[1] < 0.1
    nothing = np.zeros(3, dtype=int)
    assert np.isnan(robustness_index(NeighbourCounts(nothing, nothing, nothing, nothing, 5)))


def test_the_baseline_is_the_mean_over_random_features():
    measured = [robustness(views(draw_points(seed=seed, tissue=0.0))) for seed in range(8)]
    mean = np.mean([observed(one)["robustness_index@5"] for one in measured])
    assert mean == pytest.approx(measured[0].baselines["robustness_index"], abs=0.12)


@pytest.mark.parametrize(
    ("codes", "reason"),
    [({"label": -1}, "no labels"), ({"label": 0}, "one class only"), ({"scanner": 0}, "one scanner only")],
)
def test_what_is_undefined_says_why(codes, reason):
    with pytest.raises(UndefinedMeasure, match=reason):
        robustness(views(change(draw_points(), **codes)))
