"""The folder of a study: what its cells depend on is written down, so that a later session adds to the same study."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from scangen_bundle.cohort.manifest import COLUMNS, write_manifest
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.fingerprint import fingerprint
from scangen_bundle.studies.plan import Cell
from scangen_bundle.studies.results import cell_folder, failure_reason, has_results, is_done
from scangen_bundle.studies.worker import MANIFEST, STUDY, StudyFacts

REMEDY = "give another study_dir, or the same settings as before"


def claim_folder(folder: Path, manifest: pd.DataFrame, facts: StudyFacts) -> StudyFacts:
    """Write down what the cells depend on, or check that the folder's cells depend on the same.

    Methods, seeds and schemes may be added to a study; all else has to stay.

    Args:
        folder: of the study.
        manifest: all scans; a copy is kept, which the workers read.
        facts: of this session.

    Returns:
        The facts with the digests of manifest and features.

    Raises:
        InputError: the folder holds a study of other settings, another manifest or other features.
    """
    facts = replace(facts, manifest_digest=digest_manifest(manifest), features_digest=digest_features(manifest, facts))
    path = folder / STUDY
    if path.exists() and has_results(folder):  # a study that failed before its first result blocks nothing
        facts = _joined(path, facts)
    write_manifest(manifest, folder / MANIFEST)
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps({"facts": facts.to_json()}, indent=1), encoding="utf-8")
    return facts


def _joined(path: Path, facts: StudyFacts) -> StudyFacts:
    try:
        earlier = json.loads(path.read_text("utf-8"))["facts"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(path, f"this is no study ({error})", REMEDY) from error
    now = facts.to_json()
    changed = [name for name in now if name != "schemes" and earlier.get(name) != now[name]]
    schemes = {**earlier.get("schemes", {}), **now["schemes"]}
    changed += [f"scheme {name!r}" for name, old in earlier.get("schemes", {}).items() if schemes[name] != old]
    if changed:
        told = "; ".join(_change(name, earlier.get(name), now.get(name)) for name in changed)
        raise InputError(path.parent, f"holds a study of other settings: {told}", REMEDY)
    return StudyFacts.from_json({**now, "schemes": schemes})


def _change(name: str, before: Any, after: Any) -> str:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return ", ".join(f"{name} {key} {before.get(key)!r} (now {after.get(key)!r})" for key in keys)
    if name.endswith("_digest"):
        return f"the {name.removesuffix('_digest')} changed"
    return f"{name} {before!r} (now {after!r})" if before is not None else name


def digest_manifest(manifest: pd.DataFrame) -> str:
    """Of all columns that a study reads, whatever the order of the rows."""
    columns = [name for name in COLUMNS if name in manifest.columns and name != "slide_path"]
    text = manifest[columns].sort_values("slide_id").to_csv(index=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def digest_features(manifest: pd.DataFrame, facts: StudyFacts) -> str:
    """Of the files of all scans' features."""
    digest = hashlib.sha256()
    for slide_id, path in sorted(zip(manifest["slide_id"], manifest["features_path"], strict=True)):
        file = path or str(Path(facts.features_dir) / f"{slide_id}.h5")
        digest.update(f"{slide_id} {fingerprint(file)}\n".encode())
    return digest.hexdigest()[:16]


def open_cells(folder: Path, cells: Sequence[Cell]) -> list[Cell]:
    """The cells that have no result."""
    return [cell for cell in cells if not is_done(cell_folder(folder, cell))]


def failures(folder: Path, cells: Sequence[Cell]) -> dict[Cell, str]:
    """Why cells have no result, of those that failed."""
    reasons = {cell: failure_reason(cell_folder(folder, cell)) for cell in cells}
    return {cell: reason for cell, reason in reasons.items() if reason}
