"""Two tables on real slides: which reader opens which and how far they agree, and how far the tissue area of one specimen
agrees over its scanners. Takes the folder of the slides:

    python -m studies.readers_agreement ../shared/data
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from scangen_bundle.errors import InputError
from scangen_bundle.slides import TileReader, open_slide
from scangen_bundle.slides.overview import read_overview
from scangen_bundle.slides.tissue import find_tissue

BACKENDS = ("tifffile", "openslide", "cucim")
TILES, TILE_PX = 10, 224
# Where a file tells no plausible mpp; and a ratio that is no whole number, so that every tile is resampled.
STATED_MPP, RATIO = 0.25, 2.03
# Aperio's mpp over that of each scan of the specimen: from the common geometry of the scans
# (tests/slides/test_tissue.py says how); the scale itself is an estimate.
CYTOLOGY_MPP = 1.5
CYTOLOGY = {
    "563479": {"A": 1.0, "N1": 0.94728, "N2": 1.12479, "Z": 0.98059},
    "574162": {"A": 1.0, "N1": 0.66861, "N2": 0.94488, "Z": 0.85512},
}
MASK_MPP, COARSE_MASK_MPP = 8.0, 32.0


def bench_readers(folder: Path) -> None:
    """Each reader on each slide: the mpp that it tells, and grey levels off the reader that `auto` takes."""
    print("slide | auto takes | mpp | " + " | ".join(BACKENDS))
    print("---|---|---|" + "---|" * len(BACKENDS))
    slides = [*folder.glob("slides/*.*"), *folder.glob("multiscanner_cytology/*_*.*")]
    for path in sorted(slides):
        with open_slide(path) as auto:
            size, mpp = np.array(auto.level_dimensions[0]), auto.mpp
            corners = np.random.default_rng(0).integers(0, np.maximum(size - TILE_PX, 1), (TILES, 2))
            told = "none" if mpp is None else f"{mpp[0]:.4g}"
            source = STATED_MPP if mpp is None or not 0.05 <= mpp[0] <= 5 else mpp
            target = RATIO * float(np.mean(source))
            expected = TileReader(auto, target, TILE_PX, source).read(corners).astype(int)
            cells = [differences(path, backend, corners, expected, target, source) for backend in BACKENDS]
            print(f"{path.name} | {auto.backend} | {told} | " + " | ".join(cells), flush=True)


def differences(
    path: Path,
    backend: str,
    corners: np.ndarray,
    expected: np.ndarray,
    target: float,
    source: float | tuple[float, float],
) -> str:
    """Largest difference in grey levels and the share of values more than 2 off."""
    try:
        with open_slide(path, backend) as reader:
            off = np.abs(TileReader(reader, target, TILE_PX, source).read(corners) - expected)
    except InputError:
        return "cannot open"
    return f"{off.max()}, {(off > 2).mean():.1g}"


def bench_tissue(folder: Path) -> None:
    """Tissue area of each cytology specimen on its scanners, by the size of a mask px and the closing."""
    print(
        "\nspecimen | mask px, µm | closing, µm | mm² on " + ", ".join(CYTOLOGY["563479"]) + " | largest over smallest"
    )
    print("---|---|---|---|---|")
    for specimen in CYTOLOGY:
        for mask_mpp, closings in ((MASK_MPP, (24, 100, 200, 250, 300, 400)), (COARSE_MASK_MPP, (24,))):
            overviews = list(read_overviews(folder, specimen, mask_mpp))
            for closing in closings:
                least = 2000 if closing == 24 else 200_000
                masks = [find_tissue(picture, (mask_mpp,) * 2, 0.25, closing, least) for picture in overviews]
                areas = [float(mask.sum() * mask_mpp**2 * 1e-6) for mask in masks]
                listed = ", ".join(f"{area:.2f}" for area in areas)
                ratio = max(areas) / min(areas)
                print(f"{specimen} | {mask_mpp:g} | {closing} | {listed} | {ratio:.3f}", flush=True)


def cytology_scan(folder: Path, specimen: str, scanner: str) -> Path:
    (path,) = folder.glob(f"multiscanner_cytology/{scanner}_BB_{specimen}_1.*")
    return path


def cytology_manifest(folder: Path) -> pd.DataFrame:
    """The cytology scans as a cohort: one patient each specimen, no labels, each scan's mpp."""
    rows = [
        {
            "slide_id": f"{specimen}_{scanner}",
            "specimen_id": specimen,
            "patient_id": specimen,
            "scanner": scanner,
            "label": "",
            "slide_path": cytology_scan(folder, specimen, scanner).resolve(),
            "mpp": round(CYTOLOGY_MPP / scale, 5),
        }
        for specimen, scales in CYTOLOGY.items()
        for scanner, scale in scales.items()
    ]
    return pd.DataFrame(rows)


def read_overviews(folder: Path, specimen: str, mask_mpp: float) -> Iterator[np.ndarray]:
    """The specimen's scans at one resolution, in the order of `CYTOLOGY`."""
    for scanner, scale in CYTOLOGY[specimen].items():
        with open_slide(cytology_scan(folder, specimen, scanner)) as reader:
            step = mask_mpp / (CYTOLOGY_MPP / scale)
            yield read_overview(reader, (step, step))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--manifest", type=Path, help="write the manifest of the cytology scans to this CSV, and no table"
    )
    options = parser.parse_args()
    if options.manifest:
        cytology_manifest(options.folder).to_csv(options.manifest, index=False)
        return
    bench_readers(options.folder)
    bench_tissue(options.folder)


if __name__ == "__main__":
    main()
