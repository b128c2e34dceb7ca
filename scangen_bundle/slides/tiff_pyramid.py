"""The pyramid of a tiled TIFF: its levels, where their tiles lie in the file, its resolution and its metadata.

Only layouts that are one plain grid of tiles per level are understood: generic pyramids, Aperio SVS and OME-TIFF. The
vendors whose tiles overlap, are cropped or padded (Hamamatsu, Leica, Philips, Ventana) are left to OpenSlide.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.slides.jpeg import jpeg_tile_decoder
from scangen_bundle.slides.reader import UnsupportedLayout, over_white
from scangen_bundle.slides.tiff_metadata import PICTURES, choose_picture, read_metadata

OTHER_VENDORS = ("is_ndpi", "is_scn", "is_philips", "is_bif")
OTHER_READER = "read it with the backend openslide"
DAMAGED = "the file is damaged or its copy is not complete; copy or export the slide again"
APERIO_JPEG2000_YCBCR = 33003
END_MARKER = b"\xff\xd9"  # ends a JPEG image (EOI) as well as a JPEG 2000 codestream (EOC)
TIFF_HEADERS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
JPEG = 7
PALETTE = 3
EIGHT_BITS = "export it as 8-bit RGB, scaled by the bits in use"
MARKED_COMPRESSIONS = {JPEG, 33005, 34712}  # JPEG and JPEG 2000


@dataclass(frozen=True)
class TiffLevel:
    """One level of a tiled TIFF; sizes are (width, height). `decode(data, index, out)` fills `out` uint8 [h, w, 3].

    `compression` and `predictor` are the numbers of the TIFF tags, `samples` counts the values of a pixel (3, or 4 with alpha).
    """

    size: tuple[int, int]
    tile: tuple[int, int]
    grid: tuple[int, int]
    offsets: tuple[int, ...]
    byte_counts: tuple[int, ...]
    compression: int
    predictor: int
    samples: int
    decode: Callable[[bytes, int, np.ndarray], None]

    @property
    def is_sparse(self) -> bool:
        """Whether it leaves out tiles (TIFF writes 0 bytes for them), which readers fill in different ways."""
        return 0 in self.byte_counts

    def read_tile(self, file: int, index: int, path: Path) -> bytes | None:
        """The coded bytes of one native tile from the open file descriptor `file`, or None if the tile is left out.

        Raises:
            InputError: the bytes are cut short. JPEG decoders fill what is missing with grey and say nothing.
        """
        count = self.byte_counts[index]
        if count == 0:
            return None
        data = os.pread(file, count, self.offsets[index])
        if len(data) < count or not self.is_complete(data):
            raise InputError(
                path, f"the image data of tile {index} of {self.size[0]} px wide level is cut short", DAMAGED
            )
        return data

    def is_complete(self, data: bytes) -> bool:
        """Whether a tile ends as its coding demands; a few bytes of any padding may follow, or any number of zeros."""
        if self.compression not in MARKED_COMPRESSIONS or END_MARKER in data[-64:]:
            return True
        return data.rstrip(b"\0").endswith(END_MARKER)


@dataclass(frozen=True)
class TiffPyramid:
    """Levels from fine to coarse, resolution (x, y) in µm/px or None, and metadata under the names OpenSlide uses."""

    levels: tuple[TiffLevel, ...]
    mpp: tuple[float, float] | None
    properties: dict[str, str]


def read_tiff_pyramid(path: Path) -> TiffPyramid:
    """Read the directories of a tiled TIFF.

    Raises:
        UnsupportedLayout: not a TIFF, or not one plain grid of RGB tiles per level.
        InputError: pixels are grey or not of 8 bits, a tile lies beyond the end of the file, no picture is the largest, an
            OME-TIFF has several planes for each level, or its metadata contradict the picture.
    """
    import tifffile

    with open(path, "rb") as file:
        if file.read(4) not in TIFF_HEADERS:
            raise UnsupportedLayout(path, "it is not a TIFF file", OTHER_READER)
    try:
        with tifffile.TiffFile(path) as tiff:
            first = tiff.pages.first
            vendor = next((name for name in OTHER_VENDORS if getattr(tiff, name)), None)
            if vendor is not None:
                raise UnsupportedLayout(path, f"a TIFF of a kind that has its own tiling ({vendor[3:]})", OTHER_READER)
            _check_chain(path, tiff)
            pages, pictures = choose_picture(path, tiff)
            levels = tuple(_level(path, page) for page in pages)
            mpp, properties = read_metadata(path, tiff, pages[0] if pages else first)
            if pictures > 1:
                taken = f"{levels[0].size[0]} x {levels[0].size[1]} px"
                properties[PICTURES] = f"the file holds {pictures} pictures; the largest was taken, {taken}"
    except (InputError, OSError):
        raise
    except Exception as error:  # tifffile meets a damaged directory with errors of many types
        raise UnsupportedLayout(path, "its TIFF directory cannot be read", DAMAGED) from error
    if not levels:
        raise UnsupportedLayout(path, "the TIFF has no tiled image", OTHER_READER)
    _check_extent(path, levels)
    return TiffPyramid(tuple(sorted(levels, key=lambda level: -level.size[0])), mpp, properties)


def _check_chain(path: Path, tiff: Any) -> None:
    """Refuse a file whose last directory that can be read points to a further one: it is cut short behind it."""
    tiff.filehandle.seek(tiff.pages.next_page_offset)
    following = int.from_bytes(tiff.filehandle.read(tiff.tiff.offsetsize), "little" if tiff.byteorder == "<" else "big")
    if following:
        problem = f"its TIFF directory {len(tiff.pages)} should be at byte {following} and cannot be read"
        raise InputError(path, f"{problem} (the file has {tiff.filehandle.size} bytes)", DAMAGED)


def _level(path: Path, page: Any) -> TiffLevel:
    if page.dtype != np.uint8 or (page.samplesperpixel < 3 and page.photometric != PALETTE):
        # for no reader: OpenSlide takes the upper 8 of 16 bits, which may hold nothing, and grey as a colour
        found = "grey" if page.dtype == np.uint8 else f"{page.dtype}, {page.bitspersample} bits a colour"
        raise InputError(path, f"its pixels are {found}, expected RGB of 8 bits a colour", EIGHT_BITS)
    if not _is_rgb(page) or page.planarconfig != 1 or page.imagedepth != 1:
        planes = ", a plane for each" if page.planarconfig != 1 else ""
        found = f"{page.samplesperpixel} samples of {page.dtype}{planes}"
        raise UnsupportedLayout(path, f"its tiles have {found}, expected 8-bit RGB in one", OTHER_READER)
    if page.photometric not in (2, 6) or page.compression == APERIO_JPEG2000_YCBCR:
        coding = f"{page.photometric!s} / {page.compression!s}"
        raise UnsupportedLayout(
            path, f"its tiles have the colour coding {coding}, which tifffile leaves raw", OTHER_READER
        )
    size, tile = (page.imagewidth, page.imagelength), (page.tilewidth, page.tilelength)
    grid = (-(-size[0] // tile[0]), -(-size[1] // tile[1]))
    if not len(page.dataoffsets) == len(page.databytecounts) == grid[0] * grid[1]:
        raise InputError(
            path,
            f"its TIFF directory has {len(page.dataoffsets)} offsets and {len(page.databytecounts)} sizes of tiles, "
            f"{size[0]} x {size[1]} px need {grid[0] * grid[1]}",
            DAMAGED,
        )
    return TiffLevel(
        size=size,
        tile=tile,
        grid=grid,
        offsets=tuple(page.dataoffsets),
        byte_counts=tuple(page.databytecounts),
        compression=int(page.compression),
        predictor=int(page.predictor),
        samples=page.samplesperpixel,
        decode=_decoder(page),
    )


def _decoder(page: Any) -> Callable[[bytes, int, np.ndarray], None]:
    """Decode native tiles of a page into a given array.

    JPEG is decoded right into it, because touching fresh memory for every tile costs half as much as decoding. Of tiles
    that hold RGB, as some of Aperio's do, the tag of the page alone says so.
    """
    if page.compression == JPEG and page.samplesperpixel == 3:
        decode_tile = jpeg_tile_decoder(page.jpegtables, rgb=page.photometric == 2 and not page.is_jfif)
        return lambda data, index, out: decode_tile(data, out)
    tables, whole_page = page.jpegtables, page.decode

    def decode(data: bytes, index: int, out: np.ndarray) -> None:
        tile = whole_page(data, index, jpegtables=tables)[0][0]
        out[: tile.shape[0], : tile.shape[1]] = over_white(tile) if tile.shape[2] == 4 else tile

    return decode


def _is_rgb(page: Any) -> bool:
    """Three samples, or four with straight alpha."""
    return page.samplesperpixel == 3 or (page.samplesperpixel == 4 and tuple(page.extrasamples) == (2,))


def _check_extent(path: Path, levels: tuple[TiffLevel, ...]) -> None:
    length = path.stat().st_size
    for level in levels:
        ends = np.asarray(level.offsets, np.int64) + np.asarray(level.byte_counts, np.int64)
        if ends.max() > length:
            missing = int((ends > length).sum())
            raise InputError(
                path,
                f"the file ends at byte {length}, but {missing} of {len(ends)} tiles of its {level.size[0]} px wide level "
                "lie beyond",
                DAMAGED,
            )
