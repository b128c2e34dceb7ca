"""The contact sheet shows the tiles that the encoder saw."""

import numpy as np
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


def test_the_sheet_shows_every_tile(tmp_path):
    colours = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 0, 250], [0, 250, 250]], dtype=np.uint8)
    tiles = np.broadcast_to(colours[:, None, None], (5, 64, 64, 3))
    write_contact_sheet(tiles, np.ones(5), np.zeros((5, 2), int), 0.5, tmp_path / "a.png", "slide")
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).reshape(-1, 3).astype(int)
    for colour in colours.astype(int):
        assert (np.abs(picture - colour).max(axis=1) < 3).sum() > 10_000
