"""PathoROB's three sets (github.com/bifold-pathomics/PathoROB): patches of slides of several centres, as feature files.

A patch has a class of its own, so that a slide may hold several. Here a scan is the patches of one class on one slide; the
slide stands for the patient, whose own patches are never neighbours, and the medical centre for the scanner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scangen_bundle.bags.reading import read_archive
from scangen_bundle.errors import InputError
from scangen_bundle.not_data import is_apple_double

COLUMNS = ("slide_id", "patch_id", "biological_class", "medical_center")
PATCHES = "patches"  # the column of the manifest that names a scan's patches


@dataclass(frozen=True)
class PatchSet:
    """One of PathoROB's sets: a `PublicSet` whose scans are read by `read_patches`.

    Attributes:
        key: of its metadata and features, such as `camelyon`.
        licence: of its source.
    """

    key: str
    licence: str
    get: str = "github.com/bifold-pathomics/PathoROB: features by its extract_features, metadata from its data/metadata"

    @property
    def name(self) -> str:
        return f"PathoROB {self.key}"

    @property
    def expected(self) -> str:
        return f"metadata/{self.key}.csv with the columns {', '.join(COLUMNS)}"

    def table(self, folder: Path) -> pd.DataFrame:
        path = folder / "metadata" / f"{self.key}.csv"
        if not path.is_file():
            return pd.DataFrame()
        patches = pd.read_csv(path, dtype=str, keep_default_na=False)
        missing = [name for name in COLUMNS if name not in patches.columns]
        if missing:
            raise InputError(path, f"the columns {', '.join(missing)} are missing", f"expected {self.expected}")
        patches = patches.drop_duplicates(["slide_id", "patch_id"])  # TCGA lists a patch once for each of its subsets
        classes = sorted(set(patches["biological_class"]))
        rows = []
        for (slide, label, centre), group in patches.groupby(["slide_id", "biological_class", "medical_center"]):
            name = _plain_name(f"{slide}.{label}")
            rows.append(
                {
                    "slide_id": name,
                    "specimen_id": name,
                    "patient_id": _plain_name(slide),
                    "scanner": centre,
                    "label": classes.index(label),
                    "features_path": str(path),
                    PATCHES: " ".join(f"{slide}-{patch}" for patch in group["patch_id"]),
                }
            )
        return pd.DataFrame(rows)

    def missing(self, table: pd.DataFrame) -> list[str]:
        """[]: `read_patches` says what the feature files lack."""
        return []


def _plain_name(text: str) -> str:
    """A name that is safe as a file's."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)


CAMELYON = PatchSet("camelyon", "CC0")
TCGA = PatchSet("tcga", "CC BY-NC-SA 4.0")
TOLKACH_ESCA = PatchSet("tolkach_esca", "CC BY-SA 4.0")


def read_patches(manifest: pd.DataFrame, folder: Path) -> tuple[dict[str, np.ndarray], dict[str, str], list[str]]:
    """Features float32 [T, D] by slide_id, why scans are left out that have no patch in the files, and what else is missing.

    Args:
        manifest: of a `PatchSet`.
        folder: `features/<model>/<set>`, with one `<centre>.npz` per centre that holds an array [D] by `<slide>-<patch>`.

    Raises:
        InputError: there is no such file.
    """
    files = sorted(path for path in folder.glob("*.npz") if not is_apple_double(path))
    if not files:
        raise InputError(folder, "it has no <centre>.npz", "give features/<model>/<set> of PathoROB")
    vectors: dict[str, np.ndarray] = {}
    for path in files:
        vectors.update(read_archive(path))
    tiles, left_out = {}, {}
    missing = patches = 0
    for row in manifest.itertuples():
        slide_id, names = str(row.slide_id), str(getattr(row, PATCHES)).split(" ")
        present = [vectors[name] for name in names if name in vectors]
        patches += len(names)
        missing += len(names) - len(present)
        if present:
            tiles[slide_id] = np.stack(present).astype(np.float32)
        else:
            left_out[slide_id] = f"none of its {len(names)} patches is in the feature files"
    warnings = [f"{missing:,} of {patches:,} patches of the metadata are not in the feature files."] if missing else []
    return tiles, left_out, warnings
