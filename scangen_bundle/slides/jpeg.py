"""JPEG tiles of a TIFF, decoded into a given array; damage inside a tile is an error."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

START, END = b"\xff\xd8", b"\xff\xd9"
ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00d" + bytes(5)  # the marker APP14 whose last byte says: no colour transform
PADDING = 16  # bytes; some writers pad the coded data to whole words, which libjpeg remarks on


def jpeg_tile_decoder(tables: bytes | None, rgb: bool) -> Callable[[bytes, np.ndarray], None]:
    """A function that decodes a tile's bytes into an array uint8 [h, w, 3].

    libjpeg fills what it cannot decode with grey and only warns of it. simplejpeg makes errors of the warnings, so that a
    block of a slide that a disk lost does not become features.

    Args:
        tables: quantisation and Huffman tables that the tiles of a page share (TIFF tag JPEGTables), or None.
        rgb: the tiles hold RGB, where a decoder would take three unnamed components for YCbCr.

    Returns:
        A function of (data, out). It raises ValueError where the data are damaged or hold another size than `out`.
    """
    from simplejpeg import decode_jpeg

    head = START + (ADOBE_RGB if rgb else b"") + (tables or b"").removeprefix(START).removesuffix(END)

    def decode(data: bytes, out: np.ndarray) -> None:
        image = head + data.removeprefix(START)
        try:
            tile = decode_jpeg(image, "RGB", buffer=out)
        except ValueError as error:
            if not _is_padding(str(error)):
                raise
            tile = decode_jpeg(image, "RGB", buffer=out, strict=False)
        if tile.shape != out.shape:
            raise ValueError(f"it holds {tile.shape[1]} x {tile.shape[0]} px, expected {out.shape[1]} x {out.shape[0]}")

    return decode


def _is_padding(warning: str) -> bool:
    """Whether libjpeg remarks on a few bytes between the image and the marker that ends it, and on nothing else."""
    found = re.search(r"(\d+) extraneous bytes before marker 0xd9", warning)
    return found is not None and int(found[1]) < PADDING
