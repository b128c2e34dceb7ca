"""What a study prints: the plan with the time that it takes, and the leaderboards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scangen_bundle.studies.analysis import Analysis
from scangen_bundle.studies.export import columns_of
from scangen_bundle.studies.folder import failures, open_cells
from scangen_bundle.studies.outcome import StudyOutcome
from scangen_bundle.studies.plan import Cell, Plan
from scangen_bundle.studies.results import cell_folder, is_done, read_result
from scangen_bundle.studies.table import Row
from scangen_bundle.studies.words import words_of
from scangen_bundle.studies.worker import StudyFacts


def plan_text(folder: Path, plan: Plan, workers: int) -> str:
    """The cells, what is done, and the time that the others take at the speed of those that are done."""
    cells = plan.first_cells()
    waiting = open_cells(folder, cells)
    seconds = [read_result(path).cost.seconds for path in _done_folders(folder, cells)]
    lines = [f"{plan.size()} trainings: {_counts(plan)}"]
    for scheme in plan.schemes:
        lines.append(f"  {scheme.name}: {', '.join(plan.methods_of(scheme.name))}")
    lines += [f"  {scheme}: {method} is left out: {reason}" for (method, scheme), reason in plan.left_out.items()]
    lines.append(f"first seed: {len(cells) - len(waiting)} of {len(cells)} done, {len(failures(folder, cells))} failed")
    lines += [f"  {key} {count}" for key, count in Counter(cell.method for cell in waiting).items()]
    if seconds:
        each = float(np.median(seconds))
        left = (len(waiting) + plan.size() - len(cells)) * each / workers
        lines.append(f"{each:.1f} s each, measured on {len(seconds)}; about {duration(left)} on {workers} workers")
    return "\n".join(lines)


def _done_folders(folder: Path, cells: Sequence[Cell]) -> list[Path]:
    folders = [cell_folder(folder, cell) for cell in cells]
    return [path for path in folders if is_done(path)]


def _counts(plan: Plan) -> str:
    folds = f"{plan.folds} folds" if plan.folds else "the manifest's split"
    held_out = sum(len(scheme.hold_out) for scheme in plan.schemes)
    return f"{len(plan.methods)} methods x {held_out} sets of held-out scanners x {folds} x {len(plan.seeds)} seeds"


def duration(seconds: float) -> str:
    """Such as `40 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def table_text(outcome: StudyOutcome) -> str:
    """The leaderboards and the advice as text."""
    blocks = []
    for result in outcome.schemes:
        table = leaderboard_text(result.rows) if result.rows else "no method has a whole model"
        blocks.append(f"{result.scheme.name}\n{table}\n{result.advice.sentence}")
    return "\n\n".join(blocks)


def leaderboard_text(rows: Sequence[Row]) -> str:
    """A line per row, a column per headline measure."""
    columns = columns_of(rows)
    lines = [["", *(words_of(key).title for key in columns)]]
    for row in rows:
        values = [row.estimates[key].value if key in row.estimates else float("nan") for key in columns]
        lines.append([row.label, *(f"{value:.3f}" for value in values)])
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns) + 1)]
    texts = []
    for line in lines:
        cells = [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)]
        texts.append("  ".join([line[0].ljust(widths[0]), *cells]))
    return "\n".join(texts)


def settings_in_words(plan: Plan, facts: StudyFacts, analysis: Analysis, manifest: pd.DataFrame) -> dict[str, str]:
    """How the study was done, for its page and for MLflow."""
    rules = facts.rules
    return {
        "scans": f"{len(manifest):,}",
        "specimens": f"{manifest['specimen_id'].nunique():,}",
        "patients": f"{manifest['patient_id'].nunique():,}",
        "scanners": ", ".join(sorted(manifest["scanner"].unique())),
        "never trained on": ", ".join(rules.never_train) or "none",
        "folds": f"{rules.folds} by patient, stratified by label" if rules.folds else "the manifest's split",
        "inner validation": f"{rules.validation_fraction:g} of a fold's other patients, training scanners only",
        "seeds": ", ".join(map(str, plan.seeds)),
        "choice of epoch and strength": analysis.choose_by,
        "training": ", ".join(facts.train_config),
        "settings of the training": ", ".join(f"{name} {value}" for name, value in facts.training.items())
        or "as in the files",
        "resamples of patients": f"{analysis.resamples:,}",
    }
