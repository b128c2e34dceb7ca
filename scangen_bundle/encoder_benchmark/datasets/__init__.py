"""Public multi-scanner sets as manifests; nothing is downloaded."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from scangen_bundle.cohort import load_manifest
from scangen_bundle.encoder_benchmark.datasets import pathorob
from scangen_bundle.encoder_benchmark.datasets.base import Layout, PublicSet, scan_table, write_manifest
from scangen_bundle.encoder_benchmark.datasets.camelyon17 import CAMELYON17
from scangen_bundle.encoder_benchmark.datasets.canine_scc import CANINE_SCC
from scangen_bundle.encoder_benchmark.datasets.midog import MIDOGPP
from scangen_bundle.encoder_benchmark.datasets.named import named_layout
from scangen_bundle.encoder_benchmark.datasets.plism import PLISM, PLISM_TILES
from scangen_bundle.encoder_benchmark.datasets.scorpion import SCORPION
from scangen_bundle.errors import InputError

DATASETS: dict[str, PublicSet] = {
    "plism": PLISM,
    "plism-tiles": PLISM_TILES,
    "scorpion": SCORPION,
    "canine-scc": CANINE_SCC,
    "midog++": MIDOGPP,
    "camelyon17": CAMELYON17,
    "pathorob-camelyon": pathorob.CAMELYON,
    "pathorob-tcga": pathorob.TCGA,
    "pathorob-tolkach": pathorob.TOLKACH_ESCA,
}

__all__ = [
    "CAMELYON17",
    "CANINE_SCC",
    "DATASETS",
    "MIDOGPP",
    "PLISM",
    "PLISM_TILES",
    "SCORPION",
    "Layout",
    "PublicSet",
    "load_cohort",
    "named_layout",
    "scan_table",
    "write_manifest",
]


def load_cohort(
    dataset: str | None,
    folder: str | os.PathLike[str],
    manifest_path: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    allow_outside: bool = False,
    allow_missing: bool = False,
    mpp: float | None = None,
) -> pd.DataFrame:
    """The cohort of a manifest, or of a public set, whose manifest is written to `output_dir`.

    Args:
        dataset: one of `DATASETS`; None reads the manifest.
        folder: of the set.
        manifest_path: of the manifest.
        output_dir: for the manifest of a set.
        allow_outside: see `cohort.load_manifest`.
        allow_missing: go on without the scans that a set lacks.
        mpp: µm/px of all scans of a set, where its files do not tell it.

    Raises:
        InputError: no such set, its folder is not the set, or scans are missing; see also `cohort.load_manifest`.
    """
    if dataset is None:
        return load_manifest(manifest_path, allow_outside=allow_outside)
    if dataset not in DATASETS:
        raise InputError("dataset", f"no set is called {dataset!r}", f"one of {', '.join(DATASETS)}, or null")
    path = Path(output_dir) / "manifest.csv"
    write_manifest(DATASETS[dataset], folder, path, allow_missing, mpp)
    return load_manifest(path, allow_outside=True)
