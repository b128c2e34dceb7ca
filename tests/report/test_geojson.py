"""The GeoJSON is what QuPath reads: tile objects in level-0 px with measurements and a colour."""

import json
import uuid

import jsonschema
import numpy as np
import pytest

from scangen_bundle.report.geojson import attention_geojson, write_geojson


@pytest.fixture
def tiles():
    coords = np.array([[0, 0], [1000, 0], [0, 1000]])
    return coords, np.array([0.2, 0.5, 0.3]), (1000.5, 999.5)


def test_each_tile_is_a_closed_rectangle_at_its_place(tiles):
    features = attention_geojson("s", *tiles)["features"]
    ring = features[1]["geometry"]["coordinates"][0]
    assert ring == [[1000, 0], [2000.5, 0], [2000.5, 999.5], [1000, 999.5], [1000, 0]]
    assert [feature["geometry"]["type"] for feature in features] == ["Polygon"] * 3
    assert {feature["properties"]["objectType"] for feature in features} == {"tile"}


def test_the_file_is_geojson_with_the_properties_that_qupath_documents(tiles):
    """RFC 7946, sections 3.1.6 and 3.3; QuPath's documentation, "Exporting annotations" and "GeoJSON"."""
    number = {"type": "number"}
    place = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    ring = {"type": "array", "items": place, "minItems": 4}
    parts = {
        "type": {"const": "Feature"},
        "id": {"type": "string", "format": "uuid"},
        "geometry": {
            "properties": {
                "type": {"const": "Polygon"},
                "coordinates": {"type": "array", "items": ring, "minItems": 1},
            },
            "required": ["type", "coordinates"],
        },
        "properties": {
            "properties": {
                "objectType": {"enum": ["annotation", "detection", "tile", "cell", "tma_core", "root", "unknown"]},
                "color": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}, "minItems": 3},
                "measurements": {"type": "object", "additionalProperties": number},
            },
            "required": ["objectType", "measurements"],
            "additionalProperties": False,
        },
    }
    feature = {"type": "object", "properties": parts, "required": list(parts), "additionalProperties": False}
    schema = {
        "properties": {"type": {"const": "FeatureCollection"}, "features": {"type": "array", "items": feature}},
        "required": ["type", "features"],
    }
    written = json.loads(json.dumps(attention_geojson("s", *tiles)))
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(written)
    for each in written["features"]:
        (outline,) = each["geometry"]["coordinates"]
        x, y = np.array(outline).T
        assert outline[0] == outline[-1]
        assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2 == pytest.approx(1000.5 * 999.5)  # counterclockwise


def test_attention_is_a_measurement_and_a_colour(tiles):
    properties = [feature["properties"] for feature in attention_geojson("s", *tiles)["features"]]
    assert [each["measurements"]["attention"] for each in properties] == [0.2, 0.5, 0.3]
    relative = [each["measurements"]["attention relative to mean"] for each in properties]
    assert relative == pytest.approx([0.6, 1.5, 0.9])
    assert [each["measurements"]["attention rank"] for each in properties] == [3, 1, 2]
    colours = [each["color"] for each in properties]
    assert all(len(colour) == 3 and all(0 <= part <= 255 for part in colour) for colour in colours)
    assert colours[1][1] > colours[2][1] > colours[0][1]  # viridis gets greener


def test_ids_are_uuids_and_the_same_on_every_export(tiles, tmp_path):
    write_geojson(tmp_path / "a.geojson", "s", *tiles)
    written = json.loads((tmp_path / "a.geojson").read_text())
    assert written == json.loads(json.dumps(attention_geojson("s", *tiles)))
    ids = [uuid.UUID(feature["id"]) for feature in written["features"]]
    assert len(set(ids)) == 3
    assert attention_geojson("t", *tiles)["features"][0]["id"] != str(ids[0])


def test_a_weight_without_a_tile_is_refused(tiles):
    with pytest.raises(ValueError, match="3 tiles and 2 weights"):
        attention_geojson("s", tiles[0], np.ones(2), tiles[2])
