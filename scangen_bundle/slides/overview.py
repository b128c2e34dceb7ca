"""The whole slide at a coarse, exact resolution, in constant memory."""

from __future__ import annotations

import math
import os

import numpy as np
from scipy.sparse import csr_array

from scangen_bundle.slides.open import open_slide
from scangen_bundle.slides.reader import SlideReader

BLOCK_PX = 1024


def read_overview(reader: SlideReader, scale: tuple[float, float]) -> np.ndarray:
    """The whole slide, each pixel the mean of `scale` (x, y) level-0 px: float32 [h, w, 3] in 0 to 255.

    h and w are the slide's size over the scale, rounded up; the last row and column average what is inside the slide.
    Pixels are averaged over their exact area (fractions of level px count in part), from the coarsest level that is at
    least twice as fine as the overview, or from level 0. Halving once more than needed makes the result depend little
    on the filter with which a scanner made its levels. The slide is read in blocks of about 1,024 px.

    Raises:
        InputError: the file is damaged.
        ValueError: a scale below 1.
    """
    if min(scale) < 1:
        raise ValueError(f"an overview cannot be finer than the slide: scale {scale}, expected at least 1")
    level = overview_level(reader.level_downsamples, scale)
    downsample = reader.level_downsamples[level]
    level_w, level_h = reader.level_dimensions[level]
    full_w, full_h = reader.level_dimensions[0]
    width, height = math.ceil(full_w / scale[0] - 1e-6), math.ceil(full_h / scale[1] - 1e-6)
    step_x, step_y = scale[0] / downsample[0], scale[1] / downsample[1]
    overview = np.empty((height, width, 3), np.float32)
    rows = max(1, int(BLOCK_PX / step_y))
    columns = max(1, int(BLOCK_PX / step_x))
    for top in range(0, height, rows):
        y, weights_y = box_weights(top, min(top + rows, height), step_y, level_h)
        for left in range(0, width, columns):
            x, weights_x = box_weights(left, min(left + columns, width), step_x, level_w)
            corner = round(x * downsample[0]), round(y * downsample[1])
            block = reader.read_region(*corner, level, weights_x.shape[1], weights_y.shape[1])
            means = _weighted_means(block.astype(np.float32), weights_x, weights_y)
            overview[top : top + rows, left : left + columns] = means
    return overview


def _weighted_means(block: np.ndarray, weights_x: csr_array, weights_y: csr_array) -> np.ndarray:
    """Means [h, w, 3] of a block of pixels by `weights_y` [h, rows] and `weights_x` [w, columns]."""
    rows, columns = block.shape[:2]
    of_rows = (weights_y @ block.reshape(rows, columns * 3)).reshape(-1, columns, 3)
    means = weights_x @ of_rows.transpose(1, 0, 2).reshape(columns, -1)
    return means.reshape(-1, len(of_rows), 3).transpose(1, 0, 2)


def read_thumbnail(path: str | os.PathLike[str], longest_px: int = 1600) -> tuple[np.ndarray, tuple[int, int]]:
    """`thumbnail` of a file, and the slide's level-0 size (w, h).

    Raises:
        InputError: the file cannot be read.
    """
    with open_slide(path) as reader:
        return thumbnail(reader, longest_px), reader.level_dimensions[0]


def thumbnail(reader: SlideReader, longest_px: int) -> np.ndarray:
    """The whole slide as uint8 [h, w, 3] with its longer side at most `longest_px`."""
    width, height = reader.level_dimensions[0]
    shrink = max(1.0, max(width, height) / longest_px)
    scale_x = width / max(1, round(width / shrink))
    scale_y = height / max(1, round(height / shrink))
    overview = read_overview(reader, (scale_x, scale_y))
    return np.rint(overview).astype(np.uint8)


def overview_level(level_downsamples: list[tuple[float, float]], scale: tuple[float, float]) -> int:
    """The coarsest level that is at least twice as fine as the overview on both axes, else level 0."""
    coarsest = 0
    for level, (x, y) in enumerate(level_downsamples):
        fine_enough = 2 * x <= scale[0] and 2 * y <= scale[1]
        if fine_enough and x > level_downsamples[coarsest][0]:
            coarsest = level
    return coarsest


def box_weights(start: int, stop: int, step: float, length: int) -> tuple[int, csr_array]:
    """Weights that average `step` px of a line of `length` px into each of the output px `start` to `stop`.

    Returns:
        The first input px that is needed, and float32 weights [stop - start, input px]; each row sums to one.
    """
    edges = np.minimum(np.arange(start, stop + 1) * step, length)
    # An output px that begins on the line's end (rounded level sizes) repeats the last input px.
    edges[:-1] = np.minimum(edges[:-1], length - 1e-3)
    edges[-1] = max(edges[-1], edges[-2] + 1e-3)
    first = math.floor(edges[0])
    count = min(math.ceil(edges[-1]), length) - first
    low, high = edges[:-1, None], edges[1:, None]
    most = int((np.ceil(high) - np.floor(low)).max())
    px = np.floor(low) + np.arange(most)  # those that an output px may overlap, [stop - start, most]
    overlap = np.maximum(np.minimum(high, px + 1) - np.maximum(low, px), 0)
    weights = (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
    columns = np.minimum(px - first, count - 1).astype(int)
    rows = np.arange(0, weights.size + 1, most)
    return first, csr_array((weights.ravel(), columns.ravel(), rows), shape=(len(px), count))
