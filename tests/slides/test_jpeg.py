"""JPEG tiles: the pixels of another decoder, and no damage passes in silence."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from scangen_bundle.slides.jpeg import jpeg_tile_decoder


def picture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(64, 96, 3))
    coarse, fine = gaussian_filter(noise, (6, 6, 0)), noise[..., :1]
    return np.clip(150 + 800 * coarse + 12 * fine, 0, 255).astype(np.uint8)


def encode(image: np.ndarray, rgb: bool = False, subsampling: str = "420") -> bytes:
    colours = {"colorspace": "RGB", "outcolorspace": "RGB" if rgb else "YCBCR"}
    return imagecodecs.jpeg_encode(image, level=90, subsampling="444" if rgb else subsampling, **colours)


def split(data: bytes) -> tuple[bytes, bytes]:
    """Tables and an abbreviated image, as TIFF stores them: each segment of the whole in one of the two."""
    tables, rest, at = b"", b"", 2
    while data[at + 1] != 0xDA:  # start of scan
        size = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        segment = data[at : at + size]
        if segment[1] in (0xDB, 0xC4):  # quantisation and Huffman tables
            tables += segment
        elif segment[1] not in (0xE0, 0xEE):  # JFIF and Adobe markers, which Aperio's tiles lack
            rest += segment
        at += size
    return b"\xff\xd8" + tables + b"\xff\xd9", b"\xff\xd8" + rest + data[at:]


@pytest.mark.parametrize("subsampling", ["420", "422", "444"])
def test_a_whole_tile_has_the_pixels_that_imagecodecs_gives(subsampling: str) -> None:
    data = encode(picture(), subsampling=subsampling)
    out = np.zeros((64, 96, 3), np.uint8)
    jpeg_tile_decoder(None, rgb=False)(data, out)
    np.testing.assert_array_equal(out, imagecodecs.jpeg_decode(data))


@pytest.mark.parametrize("rgb", [False, True])
def test_tiles_without_tables_or_colour_marks_are_decoded_as_their_page_says(rgb: bool) -> None:
    tables, data = split(encode(picture(), rgb=rgb))
    out = np.zeros((64, 96, 3), np.uint8)
    jpeg_tile_decoder(tables, rgb)(data, out)
    expected = imagecodecs.jpeg_decode(data, tables=tables, colorspace=2 if rgb else 3, outcolorspace=2)
    np.testing.assert_array_equal(out, expected)
    assert np.abs(out.astype(int) - picture()).mean() < 6


@pytest.mark.parametrize("lost", [512, 1024])
def test_a_block_that_a_disk_lost_inside_a_tile_is_an_error(lost: int) -> None:
    data = bytearray(encode(picture()))
    assert len(data) > 700 + lost
    data[-lost - 20 : -20] = bytes(lost)
    with pytest.raises(ValueError, match="orrupt"):
        jpeg_tile_decoder(None, rgb=False)(bytes(data), np.zeros((64, 96, 3), np.uint8))


def test_a_few_bytes_of_padding_are_no_damage_and_many_are() -> None:
    data, out = encode(picture()), np.zeros((64, 96, 3), np.uint8)
    decode = jpeg_tile_decoder(None, rgb=False)
    decode(data[:-2] + bytes(3) + data[-2:], out)
    np.testing.assert_array_equal(out, imagecodecs.jpeg_decode(data))
    with pytest.raises(ValueError, match="extraneous"):
        decode(data[:-2] + bytes(300) + data[-2:], out)


@pytest.mark.parametrize("shape", [(32, 96, 3), (128, 128, 3)])
def test_a_tile_of_another_size_than_its_page_says_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"too small|96 x 64 px, expected 128 x 128"):
        jpeg_tile_decoder(None, rgb=False)(encode(picture()), np.zeros(shape, np.uint8))
