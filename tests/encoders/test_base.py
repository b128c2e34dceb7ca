"""The contract that every encoder keeps, on the cheapest one."""

import numpy as np
import pytest

from scangen_bundle.encoders import create_encoder
from scangen_bundle.errors import InputError


def test_an_empty_batch_gives_no_vectors():
    encoder = create_encoder("colour-statistics")
    assert encoder.encode(np.empty((0, 224, 224, 3), np.uint8)).shape == (0, encoder.dim)


@pytest.mark.parametrize(
    "tiles",
    [np.zeros((1, 224, 224, 3), np.float32), np.zeros((1, 256, 256, 3), np.uint8), np.zeros((224, 224, 3), np.uint8)],
)
def test_tiles_of_another_shape_or_type_are_refused(tiles):
    with pytest.raises(InputError, match=r"expected uint8 \[B, 224, 224, 3\]"):
        create_encoder("colour-statistics").encode(tiles)


def test_the_key_changes_with_whatever_changes_the_vectors():
    keys = {create_encoder("colour-statistics", **options).key for options in ({}, {"tile_px": 256}, {"mpp": 0.25})}
    assert len(keys) == 3
    assert "colour-statistics@1_own_224px_0.5mpp" in keys


@pytest.mark.parametrize("options", [{"pooling": "cls"}, {"tile_px": 0}, {"mpp": -1}, {"colour": "red"}])
def test_options_that_make_no_sense_are_named(options):
    with pytest.raises(InputError, match="colour-statistics.*" + next(iter(options)).replace("mpp", "mpp is -1")):
        create_encoder("colour-statistics", **options)


def test_an_unknown_name_gets_the_nearest_known_ones():
    with pytest.raises(InputError, match="did you mean efficientnet-lite0"):
        create_encoder("efficientnet_lite_0")
