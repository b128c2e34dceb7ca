"""The chosen method trained on all patients but a validation share: a run folder like that of any other training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scangen_bundle.cohort.manifest import write_manifest
from scangen_bundle.cohort.splits import split_patients
from scangen_bundle.errors import InputError
from scangen_bundle.studies.analysis import Analysis
from scangen_bundle.studies.models import choose_strengths
from scangen_bundle.studies.plan import Cell, Strength
from scangen_bundle.studies.results import CellResult
from scangen_bundle.studies.takes_part import check_takes_part
from scangen_bundle.studies.worker import Worker

REFIT = "refit"


def commonest_strength(
    results: Sequence[CellResult], manifest: pd.DataFrame, method: str, analysis: Analysis
) -> Strength:
    """The strength of a method that validation chose for most splits, of the first seed's results; () without any."""
    chosen = choose_strengths(
        [result for result in results if result.cell.method == method], manifest, analysis.choose_by
    )
    counts = Counter(sorted(chosen.values()))
    return counts.most_common(1)[0][0] if counts else ()


def refit(worker: Worker, cell: Cell, choose_by: str) -> Path:
    """Train a method on every scanner that trainings may see. A run that was killed resumes.

    Args:
        worker: of the study.
        cell: method, strength and seed.
        choose_by: rule that takes the epoch, on the validation share.

    Returns:
        The run folder.

    Raises:
        InputError: the scans do not meet the method's needs.
    """
    scans = _scans(worker)
    check_takes_part(cell.method, scans, worker.options(cell), worker.facts.features_dir)
    run_name = f"{REFIT}_{cell.method}"
    path = worker.folder / f"{run_name}.csv"
    write_manifest(scans, path)
    parser = worker.parser(cell)
    changes = {
        "manifest_path": str(path),
        "allow_outside": True,
        "output_dir": str(worker.folder),
        "run_name": run_name,
        "choose_by": choose_by,
    }
    for name, value in changes.items():
        parser[name] = value
    for step in ("initialize", "training", "finalize"):
        parser.get_parsed_content(step)
    return worker.folder / run_name


def _scans(worker: Worker) -> pd.DataFrame:
    """All scans with a split: train or val by patient, and excluded on scanners that no training may see."""
    rules = worker.facts.rules
    share = rules.validation_fraction
    if share <= 0:
        raise InputError(
            "--refit", "validation_fraction is 0: no patient is left to choose the epoch", "give 0.25, say"
        )
    scans = split_patients(worker.manifest.assign(split=""), (1 - share, share, 0.0), rules.split_seed)
    never = scans["scanner"].isin(rules.never_train)
    return scans.assign(split=scans["split"].mask(never, "excluded"))
