"""What a feature bag says about itself, checked when it is made."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scangen_bundle.bags.digest import HEADER_DIGEST, header_digest
from scangen_bundle.errors import InputError

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class BagAttributes:
    """Attributes of a bag that this package writes. Resolutions are in µm/px.

    Attributes:
        slide_id: the scan, as in the manifest.
        encoder, revision, pooling, dim: which vectors these are; D is `dim`.
        tile_px, mpp: side and resolution of the tiles that were asked for.
        source_mpp_x, source_mpp_y: resolution of the slide's level 0.
        effective_mpp_x, effective_mpp_y: resolution that the tiles really have.
        read_level: pyramid level that was read.
        scanner: as identified from the file's own metadata, "" where it does not tell.
        slide_width, slide_height: size of level 0 in px; 0 where it is not known.
        slide_digest: fingerprint of the slide file without its times, "" where it is not known.
        mask: digest of the mask that the user gave for this slide, "" for none.
        tissue_mm2: area of the tissue.
        sharpness: median variance of the Laplacian over tiles, NaN where it was not measured.
        overlap: fraction of a tile that it shares with the next one.
        settings: JSON of everything else that decides the vectors (tissue, tiling, code version).
        versions: JSON of the software that made the bag.
        digest: of coordinates and features (`digest.RowsDigest`), "" in bags of earlier versions.
        header_digest: of all other attributes, "" in bags of earlier versions.
        format_version: of this layout.

    Raises:
        ValueError: a value is missing, of the wrong type, or out of range.
    """

    slide_id: str
    encoder: str
    revision: str
    pooling: str
    dim: int
    tile_px: int
    mpp: float
    source_mpp_x: float
    source_mpp_y: float
    effective_mpp_x: float
    effective_mpp_y: float
    read_level: int
    scanner: str = ""
    slide_width: int = 0
    slide_height: int = 0
    slide_digest: str = ""
    mask: str = ""
    tissue_mm2: float = math.nan
    sharpness: float = math.nan
    overlap: float = 0.0
    settings: str = "{}"
    versions: str = "{}"
    digest: str = ""
    header_digest: str = ""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        kinds: dict[str, Any] = {"str": str, "int": int, "float": (int, float)}
        for name, field in type(self).__dataclass_fields__.items():
            value = getattr(self, name)
            if not isinstance(value, kinds[str(field.type)]) or isinstance(value, bool):
                raise ValueError(f"bag attribute {name} is {value!r}, expected {field.type}")
        for name in ("slide_id", "encoder", "pooling"):
            if not getattr(self, name):
                raise ValueError(f"bag attribute {name} is empty")
        for name in ("dim", "tile_px", "mpp", "source_mpp_x", "source_mpp_y", "effective_mpp_x", "effective_mpp_y"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"bag attribute {name} is {getattr(self, name)}, expected a positive number")

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, as they are stored."""
        return asdict(self)


def stored_attributes(path: object, stored: dict[str, Any]) -> dict[str, Any]:
    """Attributes as read from a file, in Python's own types.

    Raises:
        InputError: one is missing, damaged or makes no sense, or the format is newer than this code.
    """
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in stored.items()}
    version = plain.get("format_version")
    if version != FORMAT_VERSION:
        remedy = "update this package" if isinstance(version, int) and version > FORMAT_VERSION else "extract it again"
        raise InputError(path, f"the bag has format version {version}, expected {FORMAT_VERSION}", remedy)
    try:
        if plain.get(HEADER_DIGEST, "") not in ("", header_digest(plain)):
            raise InputError(path, "its attributes are damaged: they do not match their digest", "extract it again")
        ours = {name: value for name, value in plain.items() if name in BagAttributes.__dataclass_fields__}
        return BagAttributes(**ours).as_dict()
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(path, f"its attributes are not a feature bag's: {error}", "extract it again") from error
