"""Features of an encoder: from slides that are read and encoded here, or from a folder of feature bags."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from scangen_bundle.bags import open_bag
from scangen_bundle.bags.bag import NO_COORDS
from scangen_bundle.bags.reading import read_archive
from scangen_bundle.encoder_benchmark.datasets.pathorob import PATCHES, read_patches
from scangen_bundle.encoder_benchmark.matching import Matching, MatchSettings
from scangen_bundle.encoder_benchmark.pictures import ARCHIVE, Tile, is_picture, picture_tiles
from scangen_bundle.encoders import Encoder
from scangen_bundle.errors import InputError
from scangen_bundle.extraction import SlideTask, TilingSettings
from scangen_bundle.extraction.read_slide import read_slide
from scangen_bundle.files import write_atomically

logger = logging.getLogger(__name__)

BATCH = 64
MPP_TOLERANCE = 0.01


@dataclass(frozen=True)
class EncoderFeatures:
    """The vectors of one encoder.

    Attributes:
        tiles: float32 [T, D] by slide_id.
        corresponding: specimens whose tile i is the same place on all of the matched scans.
        facts: of the encoder: name, revision, pooling, dim, tile_px, mpp, licence, parameters, domain, tiles_per_second
            (NaN where nothing was encoded).
        left_out: reason by slide_id, for scans without vectors.
        warnings: for readers of the results.
        one_frame: tile i is the same place on every scan, also of other specimens: serial sections that were registered.
        labelled_tiles: every tile of a scan is of the scan's label, as PathoROB's patches are.
    """

    tiles: dict[str, np.ndarray]
    corresponding: set[str]
    facts: dict[str, Any]
    left_out: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    one_frame: bool = False
    labelled_tiles: bool = False


def encode_slides(
    manifest: pd.DataFrame,
    matching: Matching,
    settings: MatchSettings,
    encoder: Encoder,
    allow_upsampling: bool = False,
    max_tiles: int | None = None,
) -> EncoderFeatures:
    """Encode the matched fields of every matched specimen, and a sample of the tissue of every other scan.

    Of a scan that is a picture (`pictures.is_picture`) all tiles are encoded; they correspond as they are. A scan that cannot
    be read is left out with the reason.

    Args:
        manifest: see `cohort.load_manifest`.
        matching: of the same manifest.
        settings: those of the matching.
        encoder: reads its own `tile_px` and `mpp`.
        allow_upsampling: see `slides.TileReader`.
        max_tiles: of a scan that is a picture; None takes all.
    """
    centres: dict[str, np.ndarray] = {}
    for specimen in matching.specimens:
        centres.update(zip(specimen.slide_ids, specimen.centres_um, strict=True))
    tiling = TilingSettings(
        mpp=encoder.mpp,
        tile_px=encoder.tile_px,
        batch_size=BATCH,
        allow_upsampling=allow_upsampling,
        tissue=settings.tissue,
        tiling={"min_tissue": settings.min_tissue, "max_tiles": settings.max_places, "seed": settings.seed},
    )
    tile = Tile(encoder.tile_px, encoder.mpp)
    tiles, left_out = {}, {}
    clock = _EncodingClock(encoder)
    row: Any
    for row in tqdm(list(manifest.itertuples()), desc=encoder.name, leave=False):
        try:
            if is_picture(row.slide_path):
                batches = _batches(picture_tiles(row.slide_path, row.mpp, tile, max_tiles, allow_upsampling))
            else:
                batches = _read(row, centres.get(row.slide_id), tiling)
            tiles[row.slide_id] = np.concatenate([clock.encode(batch) for batch in batches])
        except InputError as error:
            left_out[row.slide_id] = str(error)
    pictures = manifest[manifest["slide_path"].map(is_picture) & manifest["slide_id"].isin(tiles)]
    counts = pictures["slide_id"].map({slide_id: len(vectors) for slide_id, vectors in tiles.items()})
    corresponding = _specimens_alike(pictures["specimen_id"], counts)
    for specimen in matching.specimens:
        if tiles.keys() >= set(specimen.slide_ids):
            corresponding.add(specimen.specimen_id)
    archives = pictures["slide_path"].str.lower().str.endswith(ARCHIVE)
    one_frame = len(pictures) == len(tiles) > 0 and bool(archives.all()) and counts.nunique() == 1
    return EncoderFeatures(tiles, corresponding, _encoder_facts(encoder, clock), left_out, one_frame=one_frame)


def _batches(tiles: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(tiles), BATCH):
        yield tiles[start : start + BATCH]


def _specimens_alike(specimens: pd.Series, counts: pd.Series) -> set[str]:
    """Specimens of several pictures with the same number of tiles: these correspond as they are."""
    groups = counts.groupby(specimens)
    alike = (groups.size() > 1) & (groups.nunique() == 1)
    return set(map(str, alike.index[alike]))


def _encoder_facts(encoder: Encoder, clock: _EncodingClock) -> dict[str, Any]:
    return {
        "name": encoder.name,
        "revision": encoder.revision,
        "pooling": encoder.pooling,
        "dim": encoder.dim,
        "tile_px": encoder.tile_px,
        "mpp": encoder.mpp,
        "licence": encoder.licence,
        "parameters": encoder.spec.parameters,
        "domain": encoder.domain,
        "tiles_per_second": clock.tiles_per_second,
    }


class _EncodingClock:
    """Encodes tiles and measures how fast the encoder is, without the reading."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self._seconds, self._tiles = encoder, 0.0, 0

    def encode(self, tiles: np.ndarray) -> np.ndarray:
        start = time.perf_counter()
        vectors = self._encoder.encode(tiles)
        self._seconds += time.perf_counter() - start
        self._tiles += len(tiles)
        return vectors

    @property
    def tiles_per_second(self) -> float:
        """NaN where nothing was encoded."""
        return self._tiles / self._seconds if self._tiles else float("nan")


def _read(row: Any, centres: np.ndarray | None, tiling: TilingSettings) -> Iterator[np.ndarray]:
    """Tiles uint8 [n, tile_px, tile_px, 3] of one scan, batch by batch."""
    if not row.slide_path:
        raise InputError(row.slide_id, "the manifest has no slide file for it", "give slide_path, or a features folder")
    task = SlideTask(row.slide_id, row.slide_path, row.mpp, centres_um=centres)
    for batch in read_slide(task, tiling):
        if isinstance(batch, np.ndarray):
            yield batch


def read_bags(manifest: pd.DataFrame, folder: str | os.PathLike[str], max_tiles: int | None = None) -> EncoderFeatures:
    """Read a folder of feature bags of any known tool, named by slide_id.

    Tiles correspond where all scans of a specimen have the same coordinates in one frame, as in sets that were registered
    before (plism-benchmark's, for one). Else the mean of each scan is compared.

    Args:
        manifest: see `cohort.load_manifest`.
        folder: holds `<slide_id>.<suffix>`, or a folder `<slide_id>`.
        max_tiles: at most this many tiles of a scan, evenly spread; None takes all.

    Raises:
        InputError: there is no folder, no bag in it, or bags of different D.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            folder, "there is no such folder of features", "extract the features first, or correct the path"
        )
    if PATCHES in manifest.columns:
        return _read_patches(manifest, folder)
    paths = {path.stem: path for path in sorted(folder.iterdir())}
    tiles, coords, left_out, attributes = {}, {}, {}, {}
    for slide_id in manifest["slide_id"]:
        path = paths.get(slide_id)
        if path is None:
            left_out[slide_id] = "the folder has no bag of it"
            continue
        bag = open_bag(path)
        if not len(bag):
            left_out[slide_id] = "its bag is empty"
            continue
        step = 1 if max_tiles is None else -(-len(bag) // max_tiles)
        rows = np.arange(0, len(bag), step)
        tiles[slide_id] = bag.rows(rows)
        coords[slide_id] = None if bag.coords_unit == NO_COORDS else (bag.coords_unit, bag.coords[rows])
        attributes[slide_id] = bag.attributes
    if not tiles:
        raise InputError(folder, "it has no bag of any scan of the manifest", "name the bags by slide_id")
    dim = _only_dim(folder, tiles)
    corresponding = set()
    for specimen, group in manifest.groupby("specimen_id")["slide_id"]:
        if len(group) > 1 and _same_places([coords.get(slide_id) for slide_id in group]):
            corresponding.add(str(specimen))
    facts = _facts(folder, next(iter(attributes.values())), dim)
    one_frame = len(tiles) > 1 and _same_places(list(coords.values()))
    return EncoderFeatures(tiles, corresponding, facts, left_out, _mpp_warnings(attributes), one_frame)


def _only_dim(folder: Path, tiles: Mapping[str, np.ndarray]) -> int:
    """D of all vectors; refuses bags of different D, naming a scan of each of two."""
    scan_of: dict[int, str] = {}
    for slide_id, vectors in tiles.items():
        scan_of.setdefault(vectors.shape[1], slide_id)
    dims = sorted(scan_of)
    if len(dims) > 1:
        first, second = dims[:2]
        problem = f"{scan_of[first]} has D = {first}, {scan_of[second]} D = {second}: bags of two encoders"
        raise InputError(folder, problem, "keep one folder per encoder")
    return dims[0]


def _read_patches(manifest: pd.DataFrame, folder: Path) -> EncoderFeatures:
    """Features of one of PathoROB's sets."""
    tiles, left_out, warnings = read_patches(manifest, folder)
    if not tiles:
        raise InputError(folder, "it has no patch of the manifest", "give the features of the same set")
    facts = _facts(folder, {"encoder": folder.parent.name}, next(iter(tiles.values())).shape[1])
    return EncoderFeatures(tiles, set(), facts, left_out, warnings, labelled_tiles=True)


def _same_places(all_coords: list[Any]) -> bool:
    """Whether all scans have coordinates, in a registered frame, and they are the same."""
    if any(entry is None or entry[0] != "registered_px" for entry in all_coords):
        return False
    return all(np.array_equal(entry[1], all_coords[0][1]) for entry in all_coords[1:])


def _facts(folder: Path, attributes: Mapping[str, Any], dim: int) -> dict[str, Any]:
    from scangen_bundle.encoders import ENCODERS

    name = str(attributes.get("encoder", ""))
    spec = None
    if name in ENCODERS:
        spec = ENCODERS[name].spec
    return {
        "name": attributes.get("encoder") or folder.name,
        "revision": attributes.get("revision", ""),
        "pooling": attributes.get("pooling", ""),
        "dim": dim,
        "tile_px": attributes.get("tile_px"),
        "mpp": attributes.get("mpp"),
        "licence": spec.licence if spec else "",
        "parameters": spec.parameters if spec else None,
        "domain": spec.domain if spec else "",
        "tiles_per_second": float("nan"),
    }


def _mpp_warnings(attributes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A sentence where scans have tiles of different effective mpp, which is a scanner signature of its own."""
    mpp = pd.Series({scan: entry.get("effective_mpp_x") or math.nan for scan, entry in attributes.items()})
    if not mpp.max() > mpp.min() * (1 + MPP_TOLERANCE):
        return []
    low, high = mpp.idxmin(), mpp.idxmax()
    return [
        f"Tiles have different effective resolutions ({low}: {mpp[low]:.4g}, {high}: {mpp[high]:.4g} µm/px). That alone "
        "tells scanners apart; extract the features again at one mpp."
    ]


def save_features(path: Path, features: EncoderFeatures, key: str) -> None:
    """Keep features for a later session; `key` says of what settings they are."""
    header = {
        "key": key,
        "slides": list(features.tiles),
        "lengths": [len(values) for values in features.tiles.values()],
        "corresponding": sorted(features.corresponding),
        "facts": features.facts,
        "left_out": features.left_out,
        "warnings": features.warnings,
        "one_frame": features.one_frame,
    }
    with write_atomically(path) as temporary:
        dim = features.facts["dim"]
        stacked = np.concatenate([*features.tiles.values(), np.empty((0, dim), np.float32)])
        np.savez(temporary, header=json.dumps(header), tiles=stacked)


def load_features(path: Path, key: str) -> EncoderFeatures | None:
    """Features kept by `save_features` under the same key; None where there are none."""
    if not path.is_file():
        return None
    try:
        header = json.loads(str(read_archive(path, ("header",))["header"]))
        if header["key"] != key:
            return None
        vectors = read_archive(path, ("tiles",))["tiles"]
    except InputError as error:
        logger.warning("%s; its features are made anew", error)
        return None
    ends = np.cumsum(header["lengths"])[:-1]
    tiles = dict(zip(header["slides"], np.split(vectors, ends), strict=True))
    corresponding, facts = set(header["corresponding"]), header["facts"]
    return EncoderFeatures(tiles, corresponding, facts, header["left_out"], header["warnings"], header["one_frame"])
