"""Writing a pyramidal tiled JPEG file as a scanner's software would: Aperio-style SVS or generic TIFF."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from scangen_bundle.files import write_atomically
from scangen_bundle.phantom.scanners import Scanner

TILE_PX = 256
MAKE, MODEL = 271, 272  # TIFF tags
SMALLEST_LEVEL_PX = 400


def write_slide(path: str | os.PathLike[str], pixels: np.ndarray, scanner: Scanner, slide_id: str) -> None:
    """Write level 0 and its pyramid, whole or not at all. The same pixels give the same bytes.

    Args:
        pixels: [H, W, 3] uint8, level 0.
    """
    step = 4 if scanner.container == "svs" else 2
    # RGB data with photometric "rgb" and subsampling: tifffile converts to YCbCr by itself. Told "ycbcr" it would
    # write the RGB values as if they were converted already, and every reader would show magenta tissue.
    common: dict[str, Any] = {
        "tile": (TILE_PX, TILE_PX),
        "photometric": "rgb",
        "subsampling": (2, 2),
        "compression": "jpeg",
        "compressionargs": {"level": scanner.quality},
        "metadata": None,
        "software": False,
        "maxworkers": 1,
    }
    levels = _pyramid(pixels, step)
    with write_atomically(path) as temporary, tifffile.TiffWriter(temporary) as writer:
        if scanner.container == "svs":
            _write_aperio(writer, levels, scanner, slide_id, common)
        else:
            _write_generic(writer, levels, scanner, common)


def _pyramid(pixels: np.ndarray, step: int) -> list[np.ndarray]:
    levels = [pixels]
    while min(levels[-1].shape[:2]) // step >= SMALLEST_LEVEL_PX:
        levels.append(np.asarray(Image.fromarray(levels[-1]).reduce(step)))
    return levels


def _write_aperio(
    writer: tifffile.TiffWriter, levels: list[np.ndarray], scanner: Scanner, slide_id: str, common: dict[str, Any]
) -> None:
    height, width = levels[0].shape[:2]
    head = "Aperio Image Library v12.0.15 \r\n"
    body = (
        f"(256x256) JPEG/RGB Q={scanner.quality}|AppMag = {scanner.magnification}|MPP = {scanner.mpp:.4f}"
        f"|ScanScope ID = {scanner.name.upper()}|ScannerType = {scanner.model}|Filename = {slide_id}"
    )
    writer.write(levels[0], description=f"{head}{width}x{height} [0,0 {width}x{height}] {body}", **common)
    thumbnail = np.asarray(Image.fromarray(levels[-1]).resize((256, 256 * height // width)))
    striped = {**common, "tile": None, "rowsperstrip": 16}
    size = f"{thumbnail.shape[1]}x{thumbnail.shape[0]}"
    writer.write(thumbnail, description=f"{head}{width}x{height} -> {size} - |{body}", **striped)
    for level in levels[1:]:
        size = f"{level.shape[1]}x{level.shape[0]}"
        writer.write(level, description=f"{head}{width}x{height} [0,0 {width}x{height}] -> {size} {body}", **common)


def _write_generic(
    writer: tifffile.TiffWriter, levels: list[np.ndarray], scanner: Scanner, common: dict[str, Any]
) -> None:
    maker, model = scanner.model.split(" ", 1)
    for level in levels:
        downsample = levels[0].shape[1] / level.shape[1]
        writer.write(
            level,
            subfiletype=0 if level is levels[0] else 1,
            resolution=(1e4 / (scanner.mpp * downsample),) * 2,
            resolutionunit="CENTIMETER",
            extratags=[(MAKE, "s", 0, maker, True), (MODEL, "s", 0, model, True)],
            **common,
        )
