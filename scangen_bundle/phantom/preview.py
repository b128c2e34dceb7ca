"""A contact sheet to look at: the same field of two specimens on every scanner."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageDraw

from scangen_bundle.files import write_atomically
from scangen_bundle.phantom.architecture import ALTERED, COARSE_UM, GLAND
from scangen_bundle.phantom.plan import Specimen
from scangen_bundle.phantom.scanners import SCANNERS

FIELD_UM = 112.0
TILE_PX = 224
CAPTION_PX = 16


def write_preview(folder: Path, plan: list[Specimen]) -> None:
    """Write `preview.png`: a row for the first specimen of each label, a column per scanner, 112 µm fields."""
    shown = [
        next(specimen for specimen in plan if specimen.label == label) for label in sorted({s.label for s in plan})
    ]
    sheet = Image.new("RGB", (len(SCANNERS) * TILE_PX, len(shown) * (TILE_PX + CAPTION_PX)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, specimen in enumerate(shown):
        truth = json.loads((folder / "truth" / f"{specimen.specimen_id}.json").read_text())
        phenotype = np.asarray(Image.open(folder / "truth" / f"{specimen.specimen_id}.png"))
        corner = _richest_field(phenotype == (ALTERED if specimen.label else GLAND))
        for column, (scanner, scan) in enumerate(zip(SCANNERS, truth["scans"], strict=True)):
            path = folder / "slides" / f"{scan['slide_id']}.{scanner.container}"
            at = (column * TILE_PX, row * (TILE_PX + CAPTION_PX))
            sheet.paste(_field(path, scanner.mpp, corner, scan["origin_um"]), (at[0], at[1] + CAPTION_PX))
            caption = f"{scanner.name} {scanner.mpp:g} um/px, label {specimen.label}"
            pen.text((at[0] + 3, at[1] + 2), caption, fill="black")
    with write_atomically(folder / "preview.png") as temporary:
        sheet.save(temporary)


def _richest_field(wanted: np.ndarray) -> tuple[float, float]:
    """x, y in µm of the corner of the field with most of what is wanted, of a grid of fields."""
    side = round(FIELD_UM / COARSE_UM)
    sums = np.pad(wanted.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    counts = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    row, column = np.unravel_index(int(counts.argmax()), counts.shape)
    return float(column) * COARSE_UM, float(row) * COARSE_UM


def _field(path: Path, mpp: float, corner: tuple[float, float], origin: tuple[float, float]) -> Image.Image:
    pixels = tifffile.imread(path, key=0)
    left, top = ((c - o) / mpp for c, o in zip(corner, origin, strict=True))
    x, y, extent = round(left), round(top), round(FIELD_UM / mpp)
    return Image.fromarray(pixels).crop((x, y, x + extent, y + extent)).resize((TILE_PX, TILE_PX), Image.Resampling.BOX)
