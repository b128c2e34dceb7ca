"""Views: places are paired as they correspond, bounded evenly over specimens; what cannot be paired says why."""

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.measures import feature_views
from scangen_bundle.measures.feature_views import FeatureViews, shuffled_rows
from scangen_bundle.measures.measure import UndefinedMeasure


def cohort(specimens=3, scanners="ab", tiles=100):
    """Each scan's tiles hold its row."""
    rows = [
        {"slide_id": f"s{i}{s}", "specimen_id": f"s{i}", "patient_id": f"p{i // 2}", "scanner": s, "label": i % 2}
        for i in range(specimens)
        for s in scanners
    ]
    manifest = pd.DataFrame(rows)
    values = {slide_id: np.full((tiles, 2), row, np.float32) for row, slide_id in enumerate(manifest.slide_id)}
    return values, manifest


def test_places_are_bounded_evenly_over_specimens(monkeypatch):
    monkeypatch.setattr(feature_views, "MOST_PLACES", 12)
    tiles, manifest = cohort()
    places = FeatureViews(tiles, manifest, "ab", corresponding=set(manifest.specimen_id)).places
    assert places.values.shape == (12, 2, 2)
    assert np.bincount(places.patient).tolist() == [8, 4]  # the first patient has two specimens
    assert places.level == "tile"


def test_tiles_that_do_not_correspond_are_paired_by_the_means_of_scans():
    tiles, manifest = cohort()
    tiles["s0a"] = np.array([[1, 3], [3, 5]], np.float32)
    places = FeatureViews(tiles, manifest, "ba").places
    assert places.level == "scan"
    assert places.values[0].tolist() == [[1, 1], [2, 4]]


def test_corresponding_specimens_alone_are_paired_where_there_are_any():
    tiles, manifest = cohort()
    tiles["s2b"] = tiles["s2b"][:7]  # says it corresponds, and has another number of tiles
    places = FeatureViews(tiles, manifest, "ab", corresponding={"s1", "s2"}).places
    assert places.values.shape == (100, 2, 2)
    assert set(places.values[:, 0, 0]) == {2}


@pytest.mark.parametrize(
    ("scanners", "paired", "reason"),
    [
        ("a", "", "one scanner only"),
        ("ab", "", "no specimen was scanned on two scanners"),
        ("ab", "ac", "no specimen was scanned on all of a, c"),
    ],
)
def test_what_cannot_be_paired_says_why(scanners, paired, reason):
    with pytest.raises(UndefinedMeasure, match=reason):
        _ = FeatureViews(*cohort(scanners=scanners), paired).places


def test_scans_without_tiles_are_left_out_and_codes_follow_the_names():
    tiles, manifest = cohort(scanners="ba")
    del tiles["s0a"]
    scans = FeatureViews(tiles, manifest).scans
    assert scans.scanner.tolist() == [1, 1, 0, 1, 0]
    assert scans.specimen.tolist() == [0, 1, 1, 2, 2]
    assert scans.patients == 2


def test_tiles_are_sampled_evenly_over_scans(monkeypatch):
    monkeypatch.setattr(feature_views, "MOST_TILES", 30)
    points = FeatureViews(*cohort()).sampled_tiles
    assert np.unique(points.values[:, 0], return_counts=True)[1].tolist() == [5] * 6


def test_shuffled_rows_keep_their_group():
    group = np.array([0, 1, 0, 1, 0, 2])
    rows = shuffled_rows(group, np.random.default_rng(0))
    assert sorted(rows) == list(range(6))
    assert group[rows].tolist() == group.tolist()
