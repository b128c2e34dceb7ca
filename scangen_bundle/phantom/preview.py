"""A contact sheet: the same field of two specimens on every scanner."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageDraw

from scangen_bundle.files import write_atomically
from scangen_bundle.phantom.architecture import ALTERED, COARSE_UM, GLAND
from scangen_bundle.phantom.plan import Specimen
from scangen_bundle.phantom.scanners import Scanner

FIELD_UM = 112.0
TILE_PX = 224
CAPTION_PX = 16


def write_preview(folder: Path, plan: list[Specimen], scanners: Sequence[Scanner]) -> None:
    """Write `preview.png`: a row for the first specimen of each label, a column per scanner, 112 µm fields."""
    first_of: dict[int, Specimen] = {}
    for specimen in plan:
        first_of.setdefault(specimen.label, specimen)
    shown = [first_of[label] for label in sorted(first_of)]
    sheet = Image.new("RGB", (len(scanners) * TILE_PX, len(shown) * (TILE_PX + CAPTION_PX)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, specimen in enumerate(shown):
        truth = json.loads((folder / "truth" / f"{specimen.specimen_id}.json").read_text())
        phenotype = np.asarray(Image.open(folder / "truth" / f"{specimen.specimen_id}.png"))
        corner = _richest_field(phenotype == (ALTERED if specimen.label else GLAND))
        for column, (scanner, scan) in enumerate(zip(scanners, truth["scans"], strict=True)):
            path = folder / "slides" / f"{scan['slide_id']}.{scanner.container}"
            left, top = column * TILE_PX, row * (TILE_PX + CAPTION_PX)
            field = _field(path, scanner.mpp, corner, scan["origin_um"])
            sheet.paste(field, (left, top + CAPTION_PX))
            caption = f"{scanner.name} {scanner.mpp:g} um/px, label {specimen.label}"
            pen.text((left + 3, top + 2), caption, fill="black")
    with write_atomically(folder / "preview.png") as temporary:
        sheet.save(temporary)


def _richest_field(mask: np.ndarray) -> tuple[float, float]:
    """x, y in µm of the corner of the field with the most pixels of a mask at `COARSE_UM`."""
    side = round(FIELD_UM / COARSE_UM)
    sums = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    in_rows = sums[side:] - sums[:-side]
    counts = in_rows[:, side:] - in_rows[:, :-side]
    row, column = np.unravel_index(int(counts.argmax()), counts.shape)
    return float(column) * COARSE_UM, float(row) * COARSE_UM


def _field(path: Path, mpp: float, corner: tuple[float, float], origin: tuple[float, float]) -> Image.Image:
    slide = Image.fromarray(tifffile.imread(path, key=0))
    left = round((corner[0] - origin[0]) / mpp)
    top = round((corner[1] - origin[1]) / mpp)
    extent = round(FIELD_UM / mpp)
    field = slide.crop((left, top, left + extent, top + extent))
    return field.resize((TILE_PX, TILE_PX), Image.Resampling.BOX)
