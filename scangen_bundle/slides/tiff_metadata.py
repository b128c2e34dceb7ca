"""Which picture of a TIFF is the slide, and what the file says of it: resolution, scanner."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scangen_bundle.errors import InputError

PICTURES = "scangen.pictures"  # the property that says which of several pictures was taken
MICROMETRES = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
CENTIMETRES_PER_UNIT = {2: 2.54, 3: 1.0}
SIZE = re.compile(r"(?<![\d(])(\d+)x(\d+)")  # in an Aperio header, where that of tiles is in parentheses
SIZE_TOLERANCE = 0.02
Metadata = tuple[tuple[float, float] | None, dict[str, str]]


def choose_picture(path: Path, tiff: Any) -> tuple[list[Any], int]:
    """The tiled pages of the file's largest picture, from fine to coarse, and how many pictures there are.

    Raises:
        InputError: two pictures are the largest, or it has several planes for each level.
    """
    if tiff.is_svs:
        pages = [page.aspage() for page in tiff.pages]
        return ([page for page in pages if page.is_tiled] if pages[0].is_tiled else []), 1
    pictures = _ome_pictures(path, tiff) if tiff.is_ome else _plain_pictures(tiff)
    if not pictures:
        return [], 0
    sizes = [(pages[0].imagewidth, pages[0].imagelength) for pages in pictures]
    largest = max(sizes, key=lambda size: size[0] * size[1])
    if sizes.count(largest) > 1:
        problem = f"it holds {sizes.count(largest)} pictures of {largest[0]} x {largest[1]} px, one was expected"
        raise InputError(path, problem, "export the picture that is meant as a file of its own")
    return pictures[sizes.index(largest)], len(pictures)


def _ome_pictures(path: Path, tiff: Any) -> list[list[Any]]:
    pictures = []
    largest = max(tiff.series, key=lambda series: series.keyframe.imagewidth * series.keyframe.imagelength)
    for series in tiff.series:
        pages = [level.keyframe for level in series.levels if len(level.pages) == 1]
        if not pages and series is largest:
            found = f"an OME-TIFF of {len(series.pages)} pictures for each level (axes {series.axes})"
            # for no reader: OpenSlide would take the first picture, a channel as grey or a plane of a stack, and say nothing
            remedy = "export its colours, or the plane that is meant, as one RGB picture"
            raise InputError(path, f"{found}, expected one in RGB (YXS)", remedy)
        if pages and pages[0].is_tiled:
            pictures.append([page for page in pages if page.is_tiled])
    return pictures


def _plain_pictures(tiff: Any) -> list[list[Any]]:
    """Pages of each picture: one in full size, then those that are marked as reduced; grey ones beside colours are masks."""
    pictures: list[list[Any]] = []
    for page in (page.aspage() for page in tiff.pages):
        if page.is_reduced and pictures:
            pictures[-1].append(page)
        elif not page.is_mask:
            pictures.append([page])
    pictures = [[page for page in pages if page.is_tiled] for pages in pictures if pages[0].is_tiled]
    return [pages for pages in pictures if pages[0].samplesperpixel >= 3] or pictures


def read_metadata(path: Path, tiff: Any, page: Any) -> Metadata:
    """Resolution (x, y) in µm/px or None, and metadata under the names OpenSlide uses, of the picture with this first page.

    Raises:
        InputError: they are of a picture of another size.
    """
    size = page.imagewidth, page.imagelength
    if tiff.is_svs:
        mpp, properties = _aperio(page.description)
        stated = [(int(width), int(height)) for width, height in SIZE.findall(properties["tiff.ImageDescription"])]
        _check_size(path, "Aperio description", stated, size)
    elif tiff.is_ome:
        mpp, properties = _ome(path, tiff.ome_metadata or "", size)
    else:
        mpp, properties = _resolution_tags(page), {"openslide.vendor": "generic-tiff"}
    return mpp, properties | _tags(page)


def _check_size(path: Path, source: str, stated: Sequence[tuple[int, int]], size: tuple[int, int]) -> None:
    close = [all(abs(a / b - 1) < SIZE_TOLERANCE for a, b in zip(pair, size, strict=True)) for pair in stated]
    if stated and not any(close):
        pictures = ", ".join(f"{width} x {height}" for width, height in dict.fromkeys(stated))
        problem = f"its {source} is of a picture of {pictures} px, the file holds {size[0]} x {size[1]} px"
        remedy = "its resolution cannot be believed: export the slide again, with metadata of its own"
        raise InputError(path, problem, remedy)


def _aperio(description: str) -> Metadata:
    header, *items = description.split("|")
    properties = {"openslide.vendor": "aperio", "tiff.ImageDescription": header}
    for item in items:
        key, separator, value = item.partition("=")
        if separator:
            properties[f"aperio.{key.strip()}"] = value.strip()
    try:
        mpp = float(properties["aperio.MPP"].replace(",", "."))  # a decimal comma, as OpenSlide takes it
    except (KeyError, ValueError):
        return None, properties
    return None if math.isnan(mpp) else (mpp, mpp), properties


def _ome(path: Path, xml: str, size: tuple[int, int]) -> Metadata:
    properties = {"openslide.vendor": "ome-tiff"}
    root = ElementTree.fromstring(xml)
    for name in ("Microscope", "Detector"):
        for element in root.iterfind(f".//{{*}}Instrument/{{*}}{name}"):
            for key in ("Manufacturer", "Model"):
                if element.get(key):
                    properties.setdefault(f"ome.{name}.{key}", str(element.get(key)))
    pictures = root.findall(".//{*}Pixels")
    stated = [(int(pixels.get("SizeX", 0)), int(pixels.get("SizeY", 0))) for pixels in pictures]
    _check_size(path, "OME description", stated, size)
    if not pictures:
        return None, properties
    pixels = pictures[stated.index(size)] if size in stated else pictures[0]
    sizes = []
    for axis in "XY":
        value, unit = pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")
        if value is None or unit not in MICROMETRES:
            return None, properties
        sizes.append(float(value) * MICROMETRES[unit])
    return (sizes[0], sizes[1]), properties


def _resolution_tags(page: Any) -> tuple[float, float] | None:
    """µm/px from XResolution, YResolution (px per unit) and ResolutionUnit (2 inch, 3 cm; TIFF 6.0, page 38)."""
    unit = CENTIMETRES_PER_UNIT.get(int(page.tags.valueof(296, 2)))
    spacing = []
    for code in (282, 283):
        numerator, denominator = page.tags.valueof(code, (0, 1))
        if unit is None or not numerator or not denominator:
            return None
        spacing.append(1e4 * unit * denominator / numerator)
    return spacing[0], spacing[1]


def _tags(page: Any) -> dict[str, str]:
    named = {"tiff.Make": 271, "tiff.Model": 272, "tiff.Software": 305}
    found = {name: page.tags.valueof(code, "") for name, code in named.items()}
    return {name: re.sub(r"\s+", " ", str(value)).strip() for name, value in found.items() if value}
