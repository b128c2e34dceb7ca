"""Look at slides before work, and estimate from some of them the disk and the time that all will take."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from scangen_bundle.cli.doctor import FAIL, NOTE, OK, Check
from scangen_bundle.errors import InputError, grouped, some
from scangen_bundle.processes import usable_cores

if TYPE_CHECKING:
    import pandas as pd

    from scangen_bundle.encoders import Encoder
    from scangen_bundle.extraction import TilingSettings

SAMPLES = 6  # slides whose tissue is looked for
BATCH = 32  # tiles that are encoded to measure the speed
BYTES = 2  # of a feature: float16
READERS = 4


@dataclass(frozen=True)
class Sample:
    """What a slide will take.

    Attributes:
        tiles: their number.
        seconds_per_tile: of reading one.
        batch: some of them, uint8 [n, tile_px, tile_px, 3].
    """

    tiles: int
    seconds_per_tile: float
    batch: np.ndarray


def check_slides(manifest: pd.DataFrame) -> Iterator[Check]:
    """Open each slide: can it be read, how fine and how large is it, and is it of the scanner that the manifest says?"""
    from scangen_bundle.slides import compare_scanner, identify_scanner, open_slide
    from scangen_bundle.slides.resolution import doubtful_width, resolve_mpp

    failed: dict[str, str] = {}
    other: list[str] = []
    doubtful: dict[str, str] = {}
    resolutions: list[float] = []
    row: Any
    for row in manifest[manifest["slide_path"] != ""].itertuples():
        try:
            with open_slide(row.slide_path) as slide:
                mpp = resolve_mpp(slide.mpp, 0.5, row.mpp, row.slide_path)
                resolutions.append(mpp[0])
                identity = identify_scanner(slide.properties)
                if compare_scanner(identity, row.scanner) == "disagreement":
                    other.append(f"{row.slide_id} is {identity.name} by its file, {row.scanner} by the manifest")
                if not math.isnan(row.mpp) and (doubt := doubtful_width(slide.level_dimensions[0], mpp)):
                    doubtful[row.slide_id] = doubt
        except InputError as error:
            failed[row.slide_id] = f"{error.problem} -> {error.remedy}"
    if resolutions:
        span = f"{min(resolutions):.4g} to {max(resolutions):.4g} µm/px"
        yield Check("slides", OK, f"{len(resolutions)} can be read, {span}")
    yield from (Check("slides", FAIL, line) for line in grouped(failed))
    yield from (Check("resolution", NOTE, line) for line in grouped(doubtful))
    if other:
        yield Check("scanner", NOTE, some(other, 3))


def check_work(
    manifest: pd.DataFrame, settings: Mapping[str, Any], files: Sequence[Path], features: Path
) -> Iterator[Check]:
    """Estimate tiles, disk and time, measured on some slides with the encoder itself."""
    from scangen_bundle.encoders import create_encoder

    encoder = create_encoder(settings["encoder_name"])
    tiling = _tiling(settings, files).for_encoder(encoder.tile_px, encoder.mpp)
    rows = list(manifest[manifest["slide_path"] != ""].itertuples())
    step = max(1, len(rows) // SAMPLES)
    samples: list[Sample] = []
    failed: dict[str, str] = {}
    row: Any
    for row in rows[::step][:SAMPLES]:
        try:
            samples.append(take_sample(row, tiling))
        except InputError as error:
            failed[str(row.slide_id)] = f"{error.problem} -> {error.remedy}"
    yield from (Check("tissue", FAIL, line) for line in grouped(failed))
    if not samples:
        return
    tiles = round(float(np.mean([sample.tiles for sample in samples])) * len(rows))
    yield Check("tiles", OK, f"about {tiles:,} at {tiling.mpp:g} µm/px, by {len(samples)} of {len(rows)} slides")
    size = tiles * encoder.dim * BYTES
    free = shutil.disk_usage(next(folder for folder in (features, *features.parents) if folder.exists())).free
    state = OK if size < free else FAIL
    yield Check("disk", state, f"about {_size(size)} of features, {_size(free)} are free")
    reading = float(np.mean([sample.seconds_per_tile for sample in samples])) / min(READERS, usable_cores())
    encoding = seconds_per_tile(encoder, samples[0].batch)
    slower = "encoding" if encoding > reading else "reading"
    yield Check(
        "time", OK, f"about {_duration(tiles * max(reading, encoding))} to extract on this machine ({slower} decides)"
    )


def _tiling(settings: Mapping[str, Any], files: Sequence[Path]) -> TilingSettings:
    """How slides are cut: the settings, over those of the config files."""
    from scangen_bundle.extraction import TilingSettings

    merged: dict[str, Any] = {}
    for file in files:
        merged.update(yaml.safe_load(file.read_text("utf-8")))
    merged.update(settings)
    names = ("mpp", "batch_size", "reader", "allow_upsampling", "tissue", "tiling")
    return TilingSettings(**{name: merged[name] for name in names})


def take_sample(row: Any, tiling: TilingSettings) -> Sample:
    """Cut the first tiles of a slide.

    Raises:
        InputError: it cannot be read, or has no tissue.
    """
    from scangen_bundle.extraction.read_slide import read_slide
    from scangen_bundle.extraction.work import SlideFacts, SlideTask

    tiles = 0
    start = time.perf_counter()
    for part in read_slide(SlideTask(str(row.slide_id), row.slide_path, float(row.mpp)), tiling):
        if isinstance(part, SlideFacts):
            tiles = len(part.coords)
            start = time.perf_counter()
        elif isinstance(part, np.ndarray):
            return Sample(tiles, (time.perf_counter() - start) / len(part), part[:BATCH])
    raise InputError(row.slide_path, "gave no tile", "look at it with scangen extract")


def seconds_per_tile(encoder: Encoder, batch: np.ndarray) -> float:
    """Time that the encoder takes for a tile, after a first batch that warms it up."""
    encoder.encode(batch)
    start = time.perf_counter()
    encoder.encode(batch)
    return (time.perf_counter() - start) / len(batch)


def _size(number: float) -> str:
    return f"{number / 2**30:.1f} GiB" if number > 2**29 else f"{number / 2**20:.0f} MiB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
