"""The split of every scan that a network was trained with: `splits.csv` of its run."""

from __future__ import annotations

import logging
import os

import pandas as pd

from scangen_bundle.errors import InputError, some
from scangen_bundle.files import write_atomically

logger = logging.getLogger(__name__)

COLUMNS = ["slide_id", "specimen_id", "patient_id", "scanner", "label", "split"]
IDENTITY = ["specimen_id", "patient_id", "scanner"]


def write_splits(scans: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write the splits as CSV. The rows are sorted, so that the order of the manifest does not matter.

    Args:
        scans: a row per scan with `COLUMNS`.
        path: of the file.
    """
    with write_atomically(path) as temporary:
        scans[COLUMNS].sort_values(["patient_id", "slide_id"]).to_csv(temporary, index=False)


def read_splits(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the splits; all columns are text.

    Raises:
        InputError: the file is missing or holds no splits.
    """
    try:
        splits = pd.read_csv(path, dtype=str, keep_default_na=False)
        return splits[COLUMNS]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(path, "is no file of splits", "copy the run folder again, or train again") from error


def check_same_splits(scans: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Check that the scans have the splits of the file, since otherwise test patients of today may have been trained on.

    Args:
        scans: a row per scan with `slide_id` and `split`.
        path: of the file.

    Raises:
        InputError: they have not, or the file holds no splits.
    """
    before = read_splits(path).set_index("slide_id")["split"].to_dict()
    now = dict(zip(scans["slide_id"], scans["split"], strict=True))
    changed = sorted(str(slide) for slide in before.keys() | now.keys() if before.get(slide) != now.get(slide))
    if changed:
        problem = f"the splits have changed for {len(changed)} scans ({some(changed)})"
        remedy = "undo the change of seed, scanners or manifest, or give another --run_name"
        raise InputError(path, f"{problem}; the network may have been trained on scans that are now test scans", remedy)


def with_splits(manifest: pd.DataFrame, path: str | os.PathLike[str], where: object) -> pd.DataFrame:
    """The manifest with the splits that a network was trained with.

    Args:
        manifest: as `cohort.load_manifest` gives it, of the cohort that the network was trained on.
        path: of the run's splits.
        where: names the manifest in messages.

    Raises:
        InputError: scans are missing or new, or belong to another specimen, patient or scanner than in training.
    """
    splits = read_splits(path).set_index("slide_id")
    missing = sorted(set(splits.index) - set(manifest["slide_id"]))
    new = sorted(set(manifest["slide_id"]) - set(splits.index))
    if missing or new:
        counts = f"{len(missing)} scans of the training are missing" if missing else f"{len(new)} scans are new"
        problem = f"is not the cohort that the network was trained on: {counts} ({some(missing or new)})"
        remedy = (
            "give the manifest of the training; for new patients predict them (scangen predict), then scangen score"
        )
        raise InputError(where, problem, remedy)
    ours = manifest.set_index("slide_id").loc[splits.index]
    for column in IDENTITY:
        changed = splits.index[ours[column].to_numpy(dtype=str) != splits[column].to_numpy(dtype=str)]
        if len(changed):
            problem = f"{column} differs from the training's for {len(changed)} scans ({some(list(changed))})"
            raise InputError(where, problem, "give the training's manifest, or train again")
    relabelled = splits.index[ours["label"].to_numpy(dtype=str) != splits["label"].to_numpy(dtype=str)]
    if len(relabelled):
        names = some(list(relabelled))
        logger.warning("%s: %d scans have another label than in training (%s)", where, len(relabelled), names)
    return manifest.assign(split=manifest["slide_id"].map(splits["split"]).astype(str))
