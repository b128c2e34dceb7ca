"""What a cell leaves in its folder, and reading it back. `cell.json` is written last: a cell is done where it exists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.studies.plan import Cell

CELLS = "cells"
DONE, FAILED, VALIDATION, TEST = "cell.json", "failed.json", "validation.csv", "test.csv"


@dataclass(frozen=True)
class Cost:
    """What a cell took.

    Attributes:
        seconds: of the whole cell.
        training_seconds: of its training and validation alone.
        parameters: trained numbers of network and method.
        memory_mb: largest memory of the worker process so far.
        device: "cpu" or "cuda".
    """

    seconds: float
    training_seconds: float
    parameters: int
    memory_mb: float
    device: str


@dataclass(frozen=True)
class CellResult:
    """A cell that was trained.

    Attributes:
        cell: which.
        validation: predictions of the inner validation scans: `slide_id`, `epoch` and probabilities, of every epoch that was
            validated.
        test: of the test scans on all scanners, of the chosen epochs.
        epochs: the epoch that each rule of choice takes.
        cost: what it took.
    """

    cell: Cell
    validation: pd.DataFrame
    test: pd.DataFrame
    epochs: Mapping[str, int]
    cost: Cost

    def validation_of(self, rule: str) -> pd.DataFrame:
        """Predictions of the validation scans at the epoch that the rule takes."""
        return _of_epoch(self.validation, self.epochs[rule])

    def test_of(self, rule: str) -> pd.DataFrame:
        """Predictions of the test scans at the epoch that the rule takes."""
        return _of_epoch(self.test, self.epochs[rule])


def _of_epoch(table: pd.DataFrame, epoch: int) -> pd.DataFrame:
    return table[table["epoch"] == epoch].drop(columns="epoch").reset_index(drop=True)


def cell_folder(study: Path, cell: Cell) -> Path:
    """Where a cell's files are, below the folder of its study."""
    return study / CELLS / cell.key


def write_result(folder: Path, result: CellResult) -> None:
    """Write a cell's folder so that a kill at any moment leaves it done or to be trained again."""
    for name, table in ((VALIDATION, result.validation), (TEST, result.test)):
        with write_atomically(folder / name) as temporary:
            table.to_csv(temporary, index=False)
    facts = {"cell": result.cell.to_json(), "epochs": dict(result.epochs), "cost": asdict(result.cost)}
    _write_json(folder / DONE, facts)
    (folder / FAILED).unlink(missing_ok=True)


def write_failure(folder: Path, cell: Cell, reason: str, trace: str) -> None:
    """Write why a cell has no result; it is tried again by the next run of the study."""
    _write_json(folder / FAILED, {"cell": cell.to_json(), "reason": reason, "traceback": trace})


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")


def is_done(folder: Path) -> bool:
    return (folder / DONE).is_file()


def has_results(study: Path) -> bool:
    """Whether any cell of a study is done."""
    return any((study / CELLS).rglob(DONE))


def failure_reason(folder: Path) -> str:
    """Why the cell of this folder failed; "" where it did not."""
    path = folder / FAILED
    if is_done(folder) or not path.is_file():
        return ""
    return str(json.loads(path.read_text("utf-8"))["reason"])


def read_result(folder: Path) -> CellResult:
    """The result of a cell that is done.

    Raises:
        InputError: a file of it is missing or damaged.
    """
    try:
        facts = json.loads((folder / DONE).read_text("utf-8"))
        tables = [
            pd.read_csv(folder / name, dtype={"slide_id": str}, keep_default_na=False, float_precision="round_trip")
            for name in (VALIDATION, TEST)
        ]
        cell, cost = Cell.from_json(facts["cell"]), Cost(**facts["cost"])
        epochs = {rule: int(epoch) for rule, epoch in facts["epochs"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"the result of this cell is damaged ({type(error).__name__}: {error})"
        raise InputError(folder, problem, "remove the folder; the cell is then trained again") from error
    return CellResult(cell, tables[0], tables[1], epochs, cost)
