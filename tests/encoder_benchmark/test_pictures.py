"""Tiles of pictures: where they lie, at what resolution, and what is refused."""

import h5py
import numpy as np
import pytest
from PIL import Image

from scangen_bundle.encoder_benchmark.pictures import Tile, picture_tiles
from scangen_bundle.errors import InputError


@pytest.fixture
def quarters(tmp_path):
    """A picture of 200 x 100 px whose left and right half have one colour each."""
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[:, :100], pixels[:, 100:] = (200, 10, 10), (10, 10, 200)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_tiles_lie_side_by_side_at_the_encoders_resolution(quarters):
    tiles = picture_tiles(quarters, 0.25, Tile(50, 0.5))  # 25 µm: 100 px of the picture
    assert tiles.shape == (2, 50, 50, 3)
    assert tiles[0, 2:-2, 2:-2].reshape(-1, 3).tolist() == [[200, 10, 10]] * 46 * 46
    assert tiles[1, 2:-2, 2:-2].reshape(-1, 3).tolist() == [[10, 10, 200]] * 46 * 46
    assert len(picture_tiles(quarters, 0.25, Tile(50, 0.5), most=1)) == 1


def test_a_tile_that_leaves_a_rest_lies_in_the_middle(quarters):
    tiles = picture_tiles(quarters, 0.5, Tile(80, 0.5))  # 80 of 100 px high, 2 x 80 of 200 px wide
    assert len(tiles) == 2
    assert tiles[0].reshape(-1, 3).tolist() == [[200, 10, 10]] * 80 * 80


def test_archives_are_read_in_the_order_of_their_places(tmp_path):
    path = tmp_path / "x.tif.h5"
    with h5py.File(path, "w") as archive:
        for number, (x, y) in enumerate([(9, 0), (10, 5), (10, 0)]):
            archive[f"tile_{number}_{x}_{y}"] = np.full((32, 32, 3), number, np.uint8)
    tiles = picture_tiles(path, 0.5, Tile(32, 0.5))
    assert tiles[:, 0, 0, 0].tolist() == [0, 2, 1]
    assert picture_tiles(path, 0.5, Tile(32, 0.5), most=2)[:, 0, 0, 0].tolist() == [0, 1]


def test_what_cannot_be_read_says_why(tmp_path, quarters):
    with pytest.raises(InputError, match="mpp"):
        picture_tiles(quarters, float("nan"), Tile(50, 0.5))
    with pytest.raises(InputError, match=r"200 x 100 px of 0.25 µm is smaller than the field of view of 112 µm"):
        picture_tiles(quarters, 0.25, Tile(224, 0.5))
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="cannot be read"):
        picture_tiles(tmp_path / "b.jpg", 0.25, Tile(50, 0.5))
    with h5py.File(tmp_path / "c.h5", "w") as archive:
        archive["features"] = np.zeros(3)
    with pytest.raises(InputError, match="not called"):
        picture_tiles(tmp_path / "c.h5", 0.25, Tile(50, 0.5))
