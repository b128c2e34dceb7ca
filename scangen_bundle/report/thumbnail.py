"""A small picture of a whole slide."""

from __future__ import annotations

import numpy as np
from PIL import Image

from scangen_bundle.slides import open_slide


def read_thumbnail(path: str, longest_px: int = 1600) -> tuple[np.ndarray, tuple[int, int]]:
    """The whole slide as [h, w, 3] uint8 with its longer side at most `longest_px`, and its level-0 size (w, h).

    Reads the coarsest level that is still fine enough, strip by strip, so that memory does not grow with the slide.
    """
    with open_slide(path) as reader:
        width, height = reader.level_dimensions[0]
        scale = min(1.0, longest_px / max(width, height))
        out_w, out_h = max(1, round(width * scale)), max(1, round(height * scale))
        level = max(
            (i for i, (w, _) in enumerate(reader.level_dimensions) if w >= out_w),
            key=lambda i: reader.level_downsamples[i][0],
        )
        level_w, level_h = reader.level_dimensions[level]
        rows = max(1, int(4e6 / level_w * out_h / level_h))  # about 4 megapixels of the level at a time
        strips = []
        for top in range(0, out_h, rows):
            bottom = min(out_h, top + rows)
            first, last = top * level_h // out_h, -(-bottom * level_h // out_h)
            y = round(first * reader.level_downsamples[level][1])
            strip = Image.fromarray(reader.read_region(0, y, level, level_w, last - first))
            box = (
                0.0,
                top * level_h / out_h - first,
                float(level_w),
                min(last - first, bottom * level_h / out_h - first),
            )
            strips.append(np.asarray(strip.resize((out_w, bottom - top), Image.Resampling.BOX, box=box)))
    return np.concatenate(strips), (width, height)
