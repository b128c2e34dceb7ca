"""The tiles' GeoJSON says all that is known of each tile."""

import numpy as np
import pytest

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.viewer.overlays import TileValues
from scangen_bundle.viewer.tile_geojson import tiles_geojson


def test_each_tile_has_its_values_and_nothing_where_none_is_defined():
    tiles = TileValues(
        np.array([[0, 0], [100, 0]]), (50.0, 40.0), np.array([0.2, 0.8]), np.array([[0.3, 0.7], [0.9, 0.1]])
    )
    told = tiles_geojson("slide", tiles, np.array([0.25, np.nan]))
    assert told["note"] == RESEARCH_USE_ONLY
    first, second = (feature["properties"]["measurements"] for feature in told["features"])
    assert first["attention"] == pytest.approx(0.2)
    assert first["probability of class 1"] == pytest.approx(0.7)
    assert first["spread over scanners"] == pytest.approx(0.25)
    assert "spread over scanners" not in second
    assert told["features"][1]["geometry"]["coordinates"][0][2] == [150, 40]
