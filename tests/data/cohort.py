"""The cohort without pixels of this room's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from scangen_bundle.cohort import load_manifest
from scangen_bundle.testing import make_bag, make_manifest

FEATURES = 8


def write_cohort_bag(path, slide_id, features, **changes: Any) -> None:
    """A bag of these vectors [n, D] under `path`."""
    make_bag(path, features, **{"slide_id": slide_id, "scanner": "", **changes})


def write_cohort(folder: Path, specimens: int, **options: Any) -> Path:
    """The manifest of `make_manifest` with bags of D = `FEATURES`."""
    return make_manifest(folder, specimens, dim=FEATURES, **options)


def read_cohort(path: Path) -> pd.DataFrame:
    return load_manifest(path, classes=2)
