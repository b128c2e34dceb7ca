from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from skimage.measure import points_in_poly

from scangen_bundle.errors import InputError
from scangen_bundle.slides import load_mask

SIZE, MPP = (1600, 960), (0.5, 0.5)
OUTER = [[100.3, 90.1], [1400.7, 200.2], [1200.5, 800.9], [300.2, 880.4], [100.3, 90.1]]
HOLE = [[500, 300], [900, 310], [880, 600], [520, 580], [500, 300]]
OTHER = [[1450, 850], [1590, 850], [1590, 950], [1450, 950], [1450, 850]]


def write(path, geometry, wrap=True):
    feature = {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]} if wrap else geometry))
    return path


def centres_inside(ring, scale: float = 16.0) -> np.ndarray:
    y, x = np.mgrid[: int(SIZE[1] / scale), : int(SIZE[0] / scale)]
    centres = np.stack([(x + 0.5) * scale, (y + 0.5) * scale], axis=-1).reshape(-1, 2)
    return points_in_poly(centres, np.array(ring)).reshape(x.shape)


def test_geojson_polygons_with_holes_are_px_whose_centre_is_inside(tmp_path) -> None:
    path = write(tmp_path / "a.geojson", {"type": "MultiPolygon", "coordinates": [[OUTER, HOLE], [OTHER]]})
    mask = load_mask(path, SIZE, MPP)
    expected = centres_inside(OUTER) & ~centres_inside(HOLE) | centres_inside(OTHER)
    assert mask.mask.shape == (60, 100)
    assert mask.scale == (16.0, 16.0)
    assert (mask.mask != expected).sum() <= 3  # centres that lie on an edge
    assert not mask.mask[28, 43]
    assert mask.area_um2 == pytest.approx(expected.sum() * 64, rel=0.001)


@pytest.mark.parametrize("wrap", [True, False])
def test_a_collection_or_a_bare_geometry_is_taken(tmp_path, wrap) -> None:
    path = write(tmp_path / "a.json", {"type": "Polygon", "coordinates": [OTHER]}, wrap)
    np.testing.assert_array_equal(load_mask(path, SIZE, MPP).mask, centres_inside(OTHER))


def test_a_file_with_the_mark_that_windows_puts_in_front_is_taken(tmp_path) -> None:
    path = write(tmp_path / "a.geojson", {"type": "Polygon", "coordinates": [OTHER]})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    np.testing.assert_array_equal(load_mask(path, SIZE, MPP).mask, centres_inside(OTHER))


def test_overlapping_outlines_are_united(tmp_path) -> None:
    polygon = {"type": "Polygon", "coordinates": [OTHER]}
    path = write(tmp_path / "a.json", {"type": "GeometryCollection", "geometries": [polygon, polygon]})
    np.testing.assert_array_equal(load_mask(path, SIZE, MPP).mask, centres_inside(OTHER))


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "I;16"])
def test_png_of_any_kind_and_size_covers_the_slide(tmp_path, mode) -> None:
    pixels = np.zeros((48, 80), np.uint8)
    pixels[10:20, 30:50] = 255
    picture = Image.fromarray(pixels)
    if mode == "I;16":
        picture = Image.fromarray(pixels.astype(np.uint16) * 200)
    elif mode == "P":
        picture.putpalette([0, 0, 0] + [0, 0, 0] * 254 + [200, 0, 0])
    else:
        picture = picture.convert(mode)
    if mode == "P":
        picture = Image.frombytes("P", (80, 48), pixels.tobytes())
        picture.putpalette([0, 0, 0] * 255 + [200, 0, 0])
    picture.save(tmp_path / "a.png")
    mask = load_mask(tmp_path / "a.png", SIZE, MPP)
    np.testing.assert_array_equal(mask.mask, pixels > 0)
    assert mask.scale == (20.0, 20.0)
    assert mask.area_um2 == 200 * 100


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.png", None, "no such mask"),
        ("a.tif", b"II*", "kind .tif"),
        ("a.png", b"no picture", "cannot be read"),
        ("a.geojson", b"{", "no valid JSON"),
        ("a.json", b"{}", "no GeoJSON"),
        ("b.json", b'{"type": "FeatureCollection", "features": []}', "no polygon"),
        ("c.json", b'{"type": "Polygon", "coordinates": [[[0, 0], [1]]]}', "malformed"),
        ("empty.json", b'{"type": "Polygon", "coordinates": []}', "no polygon"),
        ("hollow.json", b'{"type": "MultiPolygon", "coordinates": [[]]}', "no polygon"),
        ("d.json", b'{"type": "Polygon", "coordinates": [[[9e3, 9e3], [9e3, 1e4], [1e4, 1e4]]]}', "outside"),
    ],
)
def test_what_is_wrong_with_a_mask_is_said_with_its_name(tmp_path, name, content, says) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        load_mask(tmp_path / name, SIZE, MPP)
    assert name in str(caught.value)


def test_a_picture_of_another_shape_is_refused(tmp_path) -> None:
    Image.fromarray(np.full((80, 48), 255, np.uint8)).save(tmp_path / "turned.png")
    with pytest.raises(InputError, match="another shape"):
        load_mask(tmp_path / "turned.png", SIZE, MPP)


def test_a_cut_png_is_refused(tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 80), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        load_mask(tmp_path / "cut.png", SIZE, MPP)


def test_a_picture_too_big_to_read_is_to_be_exported_smaller(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's limit is twice this
    Image.fromarray(np.full((48, 80), 255, np.uint8)).save(tmp_path / "big.png")
    with pytest.raises(InputError, match=r"big\.png: the mask is too big.*smaller; a mask may have any size"):
        load_mask(tmp_path / "big.png", SIZE, MPP)


def test_outlines_that_qupath_ignores_are_no_tissue(tmp_path):
    def outline(left, name):
        ring = [[left, 0], [left + 400, 0], [left + 400, 400], [left, 400], [left, 0]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        return {"type": "Feature", "geometry": geometry, "properties": {"classification": {"name": name}}}

    features = [outline(0, "Tumor"), outline(600, "Ignore*")]
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    mask = load_mask(tmp_path / "a.geojson", (1000, 400), (0.5, 0.5))
    assert mask.area_mm2 == pytest.approx((400 * 0.5e-3) ** 2, rel=0.1)
    features.pop(0)
    (tmp_path / "b.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with pytest.raises(InputError, match="no polygon"):
        load_mask(tmp_path / "b.geojson", (1000, 400), (0.5, 0.5))


def test_json_of_2000_brackets_is_one_message(tmp_path):
    (tmp_path / "a.geojson").write_text('{"type": "FeatureCollection", "features": ' + 2000 * "[" + 2000 * "]" + "}")
    with pytest.raises(InputError, match="the mask is no valid JSON"):
        load_mask(tmp_path / "a.geojson", (1000, 400), (0.5, 0.5))
