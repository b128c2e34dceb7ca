"""The contact sheet shows the tiles that the encoder saw."""

import numpy as np
import pytest
from PIL import Image

from scangen_bundle.report.contact_sheet import read_tiles, top_tiles, write_contact_sheet
from scangen_bundle.slides import TileReader, open_slide


def test_the_highest_weights_come_first_and_ties_in_order():
    assert top_tiles(np.array([0.1, 0.4, 0.1, 0.4]), 3).tolist() == [1, 3, 0]
    assert top_tiles(np.array([0.5, 0.5]), 12).tolist() == [0, 1]


def test_tiles_are_read_at_the_bags_resolution(real_data):
    path = str(real_data / "slides" / "cmu-1-small-region.svs")
    coords = np.array([[0, 0], [512, 1024]])
    with open_slide(path) as reader:
        mpp = reader.mpp
        expected = TileReader(reader, 1.0, 96).read(coords)
    np.testing.assert_array_equal(read_tiles(path, coords, 1.0, 96, mpp), expected)


def test_a_tile_is_shown_pixel_by_pixel(tmp_path):
    tiles = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    write_contact_sheet(tiles, np.ones(2), np.zeros((2, 2), int), 0.5, tmp_path / "a.png", "slide")
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    second = np.flatnonzero((picture == tiles[1, 0, 0]).all(axis=2))
    places = [divmod(place, picture.shape[1]) for place in second]
    assert any((picture[y : y + 224, x : x + 224] == tiles[1]).all() for y, x in places if y < 200)


def test_the_bar_is_as_long_as_it_says(tmp_path):
    # 0.5 µm/px, shown twice as large: 50 µm would be 200 px, more than half a tile
    tiles = np.full((1, 112, 112, 3), 200, dtype=np.uint8)
    write_contact_sheet(tiles, np.ones(1), np.zeros((1, 2), int), 0.5, tmp_path / "a.png", "slide")
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    longest = max(
        len(run) for row in picture for run in bytes(row).replace(b"\0", b"#").split(b"\xc8") if set(run) == {35}
    )
    assert longest == pytest.approx(20 / 0.25, abs=1)


def test_a_long_name_is_not_cut(tmp_path):
    tiles = np.zeros((1, 64, 64, 3), dtype=np.uint8)
    write_contact_sheet(tiles, np.ones(1), np.zeros((1, 2), int), 0.5, tmp_path / "a.png", 100 * "W" + " |")
    dark = np.asarray(Image.open(tmp_path / "a.png").convert("L"))[:40] < 128
    columns = np.flatnonzero(dark.any(axis=0))
    assert columns[-1] < dark.shape[1] - 5  # a margin is left
    assert dark[:, columns[-1]].sum() > 10  # and what stands before it is the upright stroke at the name's end


def test_the_sheet_shows_every_tile(tmp_path):
    colours = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 0, 250], [0, 250, 250]], dtype=np.uint8)
    tiles = np.broadcast_to(colours[:, None, None], (5, 64, 64, 3))
    write_contact_sheet(tiles, np.ones(5), np.zeros((5, 2), int), 0.5, tmp_path / "a.png", "slide")
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).reshape(-1, 3).astype(int)
    for colour in colours.astype(int):
        assert (np.abs(picture - colour).max(axis=1) < 3).sum() > 10_000
