"""A virtual scanner at work: from the light through the specimen to the pixels of level 0."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from scangen_bundle.phantom.scanners import Scanner

NOISE_SIDE = 512


def digitise(
    rgb: np.ndarray,
    source_mpp: float,
    scanner: Scanner,
    origin_um: tuple[float, float],
    side_um: float,
    draw: np.random.Generator,
) -> np.ndarray:
    """Scan a square field: stage position and sampling, optical blur, colour response, sharpening, noise.

    Args:
        rgb: [S, S, 3] uint8, light through the specimen at `source_mpp` µm per pixel.
        origin_um: x, y of the field's top-left corner in the specimen.
        side_um: side of the field; the field must lie inside the specimen's square.

    Returns:
        [n, n, 3] uint8 at `scanner.mpp`.
    """
    side = int(side_um / scanner.mpp)
    left, top = (value / source_mpp for value in origin_um)
    extent = side * scanner.mpp / source_mpp
    image = Image.fromarray(rgb).resize(
        (side, side), Image.Resampling.BILINEAR, box=(left, top, left + extent, top + extent)
    )
    image = image.filter(ImageFilter.BoxBlur(_box_radius(scanner.blur_um / scanner.mpp)))
    matrix = np.column_stack([scanner.colour, np.zeros(3)])
    image = image.convert("RGB", tuple(matrix.ravel().tolist()))
    image = image.point(_tone_table(scanner))
    if scanner.sharpen:
        image = image.filter(_unsharp_kernel(scanner.sharpen))
    return _add_noise(np.array(image), scanner.noise, draw)


def _box_radius(deviation: float) -> float:
    """Radius r of the box of width 2 r + 1 px with a given standard deviation; a box is near to a defocused point."""
    return ((12 * deviation**2 + 1) ** 0.5 - 1) / 2


def _unsharp_kernel(strength: float) -> ImageFilter.Kernel:
    """(1 + strength) x the pixel - strength x the binomial mean of its 3 x 3 neighbourhood."""
    blur = np.outer([1, 2, 1], [1, 2, 1]) / 16
    kernel = -strength * blur
    kernel[1, 1] += 1 + strength
    return ImageFilter.Kernel((3, 3), kernel.ravel().tolist(), scale=1)


def _tone_table(scanner: Scanner) -> list[int]:
    grey = np.arange(256) / 255.0
    tables = [255 * white * grey**gamma for white, gamma in zip(scanner.white, scanner.gamma, strict=True)]
    return np.rint(np.concatenate(tables)).astype(int).tolist()


def _add_noise(pixels: np.ndarray, deviation: float, draw: np.random.Generator) -> np.ndarray:
    """Add sensor noise in place. One square of it is drawn and shifted from block to block: far cheaper, unseen."""
    square = np.rint(draw.normal(0, deviation, (NOISE_SIDE, NOISE_SIDE, 3))).astype(np.int16)
    for top in range(0, len(pixels), NOISE_SIDE):
        for left in range(0, pixels.shape[1], NOISE_SIDE):
            block = pixels[top : top + NOISE_SIDE, left : left + NOISE_SIDE]
            roll = tuple(int(value) for value in draw.integers(NOISE_SIDE, size=2))
            noise = np.roll(square, roll, axis=(0, 1))[: block.shape[0], : block.shape[1]]
            block[...] = np.clip(block + noise, 0, 255)
    return pixels
