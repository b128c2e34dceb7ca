"""What is viewed: predictions of a run, its threshold, and where slides and bags are."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.cohort import load_manifest
from scangen_bundle.errors import InputError
from scangen_bundle.measures.predictions import probability_columns
from scangen_bundle.runs import RunFolder, read_predictions
from scangen_bundle.viewer.places import read_places
from scangen_bundle.viewer.scan_files import ScanFile

IDS = ("slide_id", "specimen_id", "patient_id", "scanner")
UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class ViewedRun:
    """The scans of a run, sorted by specimen, scanner and id; a scan's number is its row.

    Attributes:
        name: of the run.
        scans: [N] rows with `slide_id`, `specimen_id`, `patient_id`, `scanner` (str) and `label` (int, -1 for none).
        probability: [N, C] of each class, NaN where a scan was not predicted.
        class_names: [C] names of the classes.
        threshold: of class 1, None where it is not known or where there are more than two classes.
        unseen: scanners that the network was not trained on.
        files: of each scan that has any, by number.
        attention: folder of attention maps that an inference wrote; None for none.
        checkpoint: of the network, None for none.
    """

    name: str
    scans: pd.DataFrame
    probability: np.ndarray
    class_names: tuple[str, ...]
    threshold: float | None
    unseen: frozenset[str]
    files: dict[int, ScanFile]
    attention: Path | None = None
    checkpoint: Path | None = None

    @cached_property
    def scanners(self) -> tuple[str, ...]:
        """Names of the scanners, sorted."""
        return tuple(sorted(set(self.scans["scanner"])))

    @cached_property
    def scanner(self) -> np.ndarray:
        """[N] position of each scan's scanner in `scanners`."""
        return np.searchsorted(np.array(self.scanners, dtype=object), self.scans["scanner"].to_numpy(dtype=object))

    @cached_property
    def specimens(self) -> tuple[str, ...]:
        """Names of the specimens in the order of the scans; a specimen's number is its position."""
        return tuple(self.scans["specimen_id"].drop_duplicates())

    @cached_property
    def starts(self) -> np.ndarray:
        """[M + 1] number of each specimen's first scan, and the number of scans."""
        names = self.scans["specimen_id"].to_numpy(dtype=object)
        first = np.flatnonzero(np.concatenate([[True], names[1:] != names[:-1]]))
        return np.append(first, len(names))

    @cached_property
    def specimen(self) -> np.ndarray:
        """[N] position of each scan's specimen in `specimens`."""
        return np.repeat(np.arange(len(self.specimens)), np.diff(self.starts))

    @cached_property
    def labels(self) -> np.ndarray:
        """[M] label of each specimen: that of its labelled scans, -1 where there is none."""
        return np.maximum.reduceat(self.scans["label"].to_numpy(dtype=np.int64), self.starts[:-1])

    @cached_property
    def patients(self) -> tuple[str, ...]:
        """Patient of each specimen."""
        return tuple(self.scans["patient_id"].iloc[self.starts[:-1]])

    @cached_property
    def slides(self) -> dict[int, ScanFile]:
        """Files of the scans that have a slide, by number."""
        return {number: file for number, file in self.files.items() if file.slide_path}

    def slide_id(self, number: int) -> str:
        """Name of a scan."""
        return str(self.scans["slide_id"].iloc[number])

    def scanner_name(self, number: int) -> str:
        """Scanner of a scan."""
        return self.scanners[self.scanner[number]]

    def scans_of(self, specimen: int) -> range:
        """Numbers of a specimen's scans."""
        return range(int(self.starts[specimen]), int(self.starts[specimen + 1]))


def read_viewed_run(
    folder: str | os.PathLike[str],
    manifest: str | os.PathLike[str] | None = None,
    features_dir: str | os.PathLike[str] | None = None,
    allow_outside: bool = False,
) -> ViewedRun:
    """Read what a run left.

    Args:
        folder: of the run, or of its inference (`<run>/inference`).
        manifest: where the slides are, in place of the one that the run was trained with. Without either there are only
            probabilities.
        features_dir: folder of the bags, in place of the run's.
        allow_outside: accept slides that are not below the manifest's folder.

    Raises:
        InputError: no predictions, or damaged files.
    """
    folder = Path(folder)
    table_path = _find_predictions(folder)
    run = RunFolder(folder.parent if folder.name == "inference" else folder)
    table = _clean(read_predictions(table_path), table_path)
    places = read_places(run.settings)
    if manifest is None and Path(places.get("manifest_path", "")).is_file():
        manifest = places["manifest_path"]
    if features_dir is None:
        features_dir = places.get("features_dir")
    allow_outside = allow_outside or bool(places.get("allow_outside"))
    scans = None if manifest is None else load_manifest(manifest, allow_outside=allow_outside)
    settings = _read_settings(run.metrics)
    probability = _probabilities(table, table_path)
    threshold = settings.get("threshold")
    attention = run.path / "inference" / "attention"
    return ViewedRun(
        name=run.name,
        scans=table[[*IDS, "label"]],
        probability=probability,
        class_names=_class_names(settings.get("class_names"), probability.shape[1]),
        threshold=float(threshold) if threshold is not None and probability.shape[1] == 2 else None,
        unseen=frozenset(settings.get("unseen_scanners", ())),
        files=_files(table["slide_id"], scans, None if features_dir is None else Path(features_dir)),
        attention=attention if attention.is_dir() else None,
        checkpoint=run.best if run.best.is_file() else None,
    )


def _find_predictions(folder: Path) -> Path:
    for path in (folder / "predictions.csv", folder / "inference" / "predictions.csv"):
        if path.is_file():
            return path
    raise InputError(
        folder, "there is no predictions.csv in this folder", "evaluate the run first, or name a folder of predictions"
    )


def _clean(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table sorted, with every column that the viewer needs."""
    if missing := [name for name in ("slide_id", "specimen_id", "scanner") if name not in table]:
        raise InputError(path, f"has no column {', '.join(missing)}", "give predictions that this bundle wrote")
    table = table.assign(patient_id=table.get("patient_id", ""))
    label = pd.to_numeric(table["label"], errors="coerce") if "label" in table else pd.Series(UNLABELLED, table.index)
    table = table.assign(label=label.fillna(UNLABELLED).astype("int64"))
    if table.empty:
        raise InputError(path, "has no rows", "predict at least one slide")
    return table.sort_values(["specimen_id", "scanner", "slide_id"], kind="stable", ignore_index=True)


def _probabilities(table: pd.DataFrame, path: Path) -> np.ndarray:
    """[N, C], NaN where a cell is empty or no number."""
    try:
        names = probability_columns(table)
    except ValueError as error:
        raise InputError(path, str(error), "give predictions that this bundle wrote") from error
    columns = table[names].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    return np.column_stack([1 - columns, columns]) if columns.shape[1] == 1 else columns


def _read_settings(path: Path) -> dict[str, Any]:
    """The settings of an evaluation; empty where the run was not evaluated."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text("utf-8"))["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(path, f"this is no metrics file ({error})", "evaluate the run again") from error


def _class_names(names: list[str] | None, classes: int) -> tuple[str, ...]:
    if names is not None and len(names) == classes:
        return tuple(map(str, names))
    return tuple(f"class {number}" for number in range(classes))


def _files(slide_ids: pd.Series, manifest: pd.DataFrame | None, features_dir: Path | None) -> dict[int, ScanFile]:
    """Files of each scan by its number; a bag is the manifest's, or else `<features_dir>/<slide_id>.h5`."""
    rows: dict[str, Any] = {}
    if manifest is not None:
        rows = {str(row.slide_id): row for row in manifest.itertuples()}
    files = {}
    for number, slide_id in enumerate(slide_ids):
        row = rows.get(slide_id)
        slide_path = "" if row is None else str(row.slide_path)
        features_path = "" if row is None else str(row.features_path)
        if not features_path and features_dir is not None:
            features_path = str(features_dir / f"{slide_id}.h5")
        if slide_path or features_path:
            stated = None if row is None or np.isnan(row.mpp) else float(row.mpp)
            files[number] = ScanFile(slide_path, features_path, stated)
    return files
