"""Pictures and files of a run's specimens for its page, as far as slides and attention maps are there."""

from __future__ import annotations

import base64
import io
import logging
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import pandas as pd

from scangen_bundle.cohort import load_manifest
from scangen_bundle.errors import InputError
from scangen_bundle.runs.folder import RunFolder
from scangen_bundle.runs.settings import RunSettings

if TYPE_CHECKING:
    from scangen_bundle.report.page import Link
    from scangen_bundle.report.sections.specimens import SpecimenFiles

logger = logging.getLogger(__name__)

MOST_PICTURES = 24  # specimens that have pictures; those that flip come first
THUMBNAIL_PX, ATTENTION_PX = 220, 440  # longest side


def specimen_files(
    folder: RunFolder, settings: RunSettings, predictions: pd.DataFrame, ranked: Iterable[str]
) -> SpecimenFiles:
    """Collect what there is; a slide that cannot be read has no picture.

    Args:
        folder: of the run; attention maps lie in its `inference/attention`.
        settings: of the run, which name the manifest.
        predictions: `specimen_id`, `scanner` and `slide_id`, one row per scan.
        ranked: specimens, the most important first.
    """
    from scangen_bundle.report.sections.specimens import SpecimenFiles

    shown = list(ranked)[:MOST_PICTURES]
    maps = folder.path / "inference" / "attention"
    scans = {str(name): rows for name, rows in predictions.groupby("specimen_id", sort=False)}
    attention, links = {}, {}
    for specimen in scans if maps.is_dir() else ():
        picture = _attention_picture(maps, specimen, scans[specimen])
        if picture is not None and specimen in shown:
            attention[specimen] = _picture_address(picture, ATTENTION_PX)
        links[specimen] = _links(folder.path, maps, picture, scans[specimen])
    return SpecimenFiles(
        thumbnails=_thumbnails(settings, scans, shown),
        attention={name: address for name, address in attention.items() if address},
        links={name: files for name, files in links.items() if files},
        viewer=f"scangen view {shlex.quote(os.fspath(folder.path))}",
    )


def _attention_picture(maps: Path, specimen: str, scans: pd.DataFrame) -> Path | None:
    """All scanners side by side, or else the first scan's map."""
    names = [f"scanners/{specimen}.png", *(f"{slide_id}.png" for slide_id in scans["slide_id"])]
    return next((maps / name for name in names if (maps / name).is_file()), None)


def _links(root: Path, maps: Path, picture: Path | None, scans: pd.DataFrame) -> list[Link]:
    from scangen_bundle.report.page import Link

    links = [] if picture is None else [Link("attention", _relative(picture, root))]
    for slide_id, scanner in zip(scans["slide_id"], scans["scanner"], strict=True):
        path = maps / f"{slide_id}.geojson"
        if path.is_file():
            links.append(Link(f"GeoJSON, {scanner}", _relative(path, root)))
    return links


def _relative(path: Path, root: Path) -> str:
    return quote(path.relative_to(root).as_posix())


def _thumbnails(settings: RunSettings, scans: dict[str, pd.DataFrame], shown: list[str]) -> dict[str, str]:
    """Of each specimen the first slide that is there."""
    slides = _slide_paths(settings)
    thumbnails = {}
    for specimen in shown if slides else ():
        paths = [slides[slide_id] for slide_id in scans[specimen]["slide_id"] if slide_id in slides]
        for path in paths[:1]:
            if address := _slide_address(path):
                thumbnails[specimen] = address
    return thumbnails


def _slide_paths(settings: RunSettings) -> dict[str, str]:
    path = settings.get("manifest_path")
    if not path or not Path(str(path)).is_file():
        return {}
    try:
        manifest = load_manifest(path, allow_outside=bool(settings.get("allow_outside")))
    except (InputError, ValueError) as error:
        logger.info("no thumbnails: %s", error)
        return {}
    rows = zip(manifest["slide_id"].astype(str), manifest["slide_path"].astype(str), strict=True)
    return {slide_id: slide for slide_id, slide in rows if slide and Path(slide).exists()}


def _slide_address(path: str) -> str:
    """A thumbnail of the slide; "" where it cannot be read."""
    from scangen_bundle.slides import read_thumbnail

    try:
        pixels, _ = read_thumbnail(path, THUMBNAIL_PX)
    except (InputError, OSError, ValueError) as error:
        logger.info("no thumbnail of %s: %s", path, error)
        return ""
    return _address(pixels)


def _picture_address(path: Path, longest: int) -> str:
    from PIL import Image

    with Image.open(path) as image:
        image.thumbnail((longest, longest))
        return _address(np.asarray(image.convert("RGB")))


def _address(pixels: np.ndarray) -> str:
    """RGB pixels [H, W, 3] as a `data:` address."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[..., :3])).save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
