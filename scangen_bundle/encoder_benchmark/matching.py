"""The same fields of view on every scan of a specimen: register the scans, then place tiles where all of them have tissue."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from scangen_bundle.errors import InputError
from scangen_bundle.slides import SlideReader, TissueMask, open_slide, tile_grid, tissue_fraction, tissue_mask
from scangen_bundle.slides.overview import read_overview
from scangen_bundle.slides.registration import Registration, RegistrationError, register
from scangen_bundle.slides.resolution import resolve_mpp

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MatchSettings:
    """How specimens are matched.

    Args:
        field_um: side of the field of view that has to lie in tissue on every scan, µm: the largest tile of all encoders.
        max_places: places taken per specimen, chosen by `seed`.
        min_tissue: least share of tissue in a field, on every scan.
        overview_px: longest side of the overviews that are registered,
        overview_um: unless their pixels would be finer than this, µm.
        max_error_um: registrations with a larger error are refused.
        max_rotation_degrees: so are larger rotations, because tiles are read upright.
        max_scale_error: so are scales further from 1: then the mpp of one of the scans is wrong.
        affine: allow shear and unequal scales.
        tissue: options of `slides.tissue_mask`.
        seed: of the registration and of the choice of places.
    """

    field_um: float
    max_places: int = 64
    min_tissue: float = 0.5
    overview_px: int = 1000
    overview_um: float = 3.0
    max_error_um: float = 15.0
    max_rotation_degrees: float = 5.0
    max_scale_error: float = 0.05
    affine: bool = False
    tissue: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class MatchedSpecimen:
    """Corresponding places on all scans of one specimen.

    Attributes:
        specimen_id: the specimen.
        slide_ids: [S] its scans in the order of the scanners, the reference first.
        centres_um: [S, T, 2] centre (x, y) of each field in µm from each scan's top-left corner.
        registrations: [S - 1] maps from the reference to the other scans.
    """

    specimen_id: str
    slide_ids: list[str]
    centres_um: np.ndarray
    registrations: list[Registration]

    @property
    def error_um(self) -> float:
        """The largest error of its registrations."""
        return max(registration.error_um for registration in self.registrations)


@dataclass(frozen=True)
class Matching:
    """The matched specimens of a cohort.

    Attributes:
        scanners: [S] the reference first.
        specimens: those that were matched.
        left_out: reason by specimen for all others.
    """

    scanners: list[str]
    specimens: list[MatchedSpecimen]
    left_out: dict[str, str]


def shared_scanners(manifest: pd.DataFrame) -> list[str]:
    """The set of scanners that gives most pairs of scans of one specimen, sorted.

    Of every set that some specimen was scanned by, count specimens that have all of it times its pairs. [] where no
    specimen was scanned twice.
    """
    sets = [frozenset(group) for _, group in manifest.groupby("specimen_id")["scanner"]]
    pairs = {}
    for scanners in set(sets):
        specimens = sum(scanners <= others for others in sets)
        pairs[scanners] = specimens * len(scanners) * (len(scanners) - 1)
    best = max(pairs, key=lambda scanners: (pairs[scanners], sorted(scanners)), default=frozenset())
    return sorted(best) if pairs.get(best) else []


def match_specimens(manifest: pd.DataFrame, settings: MatchSettings, scanners: Sequence[str] | None = None) -> Matching:
    """Match the scans of every specimen of a manifest that was scanned by all `scanners`.

    A specimen that cannot be matched is left out with the reason; that is not an error.

    Args:
        manifest: see `cohort.load_manifest`; of two scans of one specimen by one scanner the first is taken.
        settings: see `MatchSettings`.
        scanners: the reference first; None takes `shared_scanners`.
    """
    scanners = list(scanners or shared_scanners(manifest))
    matched, left_out = [], {}
    groups = list(manifest.groupby("specimen_id", sort=True))
    for name, scans in tqdm(groups, desc="registering specimens", leave=False):
        try:
            matched.append(_match(str(name), scans, scanners, settings))
        except (RegistrationError, InputError) as error:
            left_out[str(name)] = str(error)
            logger.warning("specimen %s is left out: %s", name, error)
    return Matching(scanners, matched, left_out)


def _match(specimen_id: str, scans: pd.DataFrame, scanners: Sequence[str], settings: MatchSettings) -> MatchedSpecimen:
    by_scanner = scans.drop_duplicates("scanner").set_index("scanner")
    missing = [name for name in scanners if name not in by_scanner.index]
    if missing or len(scanners) < 2:
        raise RegistrationError(f"no scan by {', '.join(missing)}" if missing else "it was scanned by one scanner only")
    rows: list[Any] = list(by_scanner.loc[list(scanners)].itertuples())
    if any(not row.slide_path for row in rows):
        raise RegistrationError("the manifest has no slide file for one of its scans")
    with open_scans(rows) as (readers, source):
        overviews, step_um = read_overviews(readers, source, settings)
        maps = []
        for overview, scanner in zip(overviews[1:], scanners[1:], strict=True):
            try:
                registration = register(
                    overviews[0],
                    overview,
                    step_um,
                    tolerance_um=4 * step_um,
                    affine=settings.affine,
                    seed=settings.seed,
                )
                check_registration(registration, settings)
            except RegistrationError as error:
                raise RegistrationError(f"{scanner} on {scanners[0]}: {error}") from error
            maps.append(registration)
        masks = []
        for reader, mpp in zip(readers, source, strict=True):
            masks.append(tissue_mask(reader, source_mpp=mpp, **settings.tissue))
        centres = place_fields(readers, masks, maps, settings)
    return MatchedSpecimen(specimen_id, [row.slide_id for row in rows], centres, maps)


@contextmanager
def open_scans(scans: Sequence[Any]) -> Iterator[tuple[list[SlideReader], list[tuple[float, float]]]]:
    """Readers of scans, as rows of a manifest, and the µm/px (x, y) of their level 0; closed at the end."""
    with ExitStack() as stack:
        readers = [stack.enter_context(open_slide(scan.slide_path)) for scan in scans]
        pairs = zip(readers, scans, strict=True)
        yield readers, [resolve_mpp(reader.mpp, 0.5, scan.mpp, reader.path) for reader, scan in pairs]


def read_overviews(
    readers: Sequence[SlideReader], source_mpp: Sequence[tuple[float, float]], settings: MatchSettings
) -> tuple[list[np.ndarray], float]:
    """Overviews [h, w, 3] of all scans at one µm per px, and that number."""
    size_um = np.array([reader.level_dimensions[0] for reader in readers]) * np.array(source_mpp)
    longest_um, coarsest_um = float(size_um.max()), float(np.max(source_mpp))
    step_um = max(longest_um / settings.overview_px, settings.overview_um, coarsest_um)
    overviews = []
    for reader, mpp in zip(readers, source_mpp, strict=True):
        overviews.append(read_overview(reader, (step_um / mpp[0], step_um / mpp[1])))
    return overviews, step_um


def check_registration(registration: Registration, settings: MatchSettings) -> None:
    """Refuse a registration that the tiles could not be trusted with.

    Raises:
        RegistrationError: error, rotation or scale is beyond what the settings allow.
    """
    if registration.error_um > settings.max_error_um:
        raise RegistrationError(f"error {registration.error_um:.1f} µm, at most {settings.max_error_um:g} are allowed")
    if abs(registration.rotation_degrees) > settings.max_rotation_degrees:
        raise RegistrationError(
            f"turned by {registration.rotation_degrees:.1f}°, at most {settings.max_rotation_degrees:g}° are allowed, because "
            "tiles are read upright"
        )
    if abs(registration.scale - 1) > settings.max_scale_error:
        raise RegistrationError(
            f"its scale is {registration.scale:.3f} where 1 is expected: the mpp of one of the scans is wrong"
        )


def place_fields(
    readers: Sequence[SlideReader],
    masks: Sequence[TissueMask],
    maps: Sequence[Registration],
    settings: MatchSettings,
) -> np.ndarray:
    """Centres float [S, T, 2] in µm of fields that lie inside every scan and in its tissue, on a grid of the first.

    Raises:
        RegistrationError: there is none.
    """
    mpp = np.array([mask.source_mpp for mask in masks])
    side = settings.field_um
    size = (side / mpp[0, 0], side / mpp[0, 1])
    corners = tile_grid(
        masks[0], readers[0].level_dimensions[0], size, min_tissue=settings.min_tissue, grid_um=side, seed=settings.seed
    )
    fixed = corners * mpp[0] + side / 2
    centres = np.stack([fixed, *(registration.apply(fixed) for registration in maps)])
    keep = np.ones(len(fixed), dtype=bool)
    for scan, (reader, mask) in enumerate(zip(readers, masks, strict=True)):
        extent = np.array(reader.level_dimensions[0]) * mpp[scan]
        inside = (centres[scan] >= side / 2) & (centres[scan] <= extent - side / 2)
        start = np.maximum((centres[scan] - side / 2) / mpp[scan], 0)
        share = tissue_fraction(mask, start, (side / mpp[scan, 0], side / mpp[scan, 1]))
        keep &= inside.all(axis=1) & (share >= settings.min_tissue)
    kept = np.flatnonzero(keep)
    if not len(kept):
        raise RegistrationError(f"no field of {side:g} µm lies in tissue on all of its scans")
    if len(kept) > settings.max_places:
        generator = np.random.default_rng(settings.seed)
        kept = np.sort(generator.choice(kept, settings.max_places, replace=False))
    return centres[:, kept]
