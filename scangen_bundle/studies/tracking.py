"""MLflow: one run for the study, and below it one for each cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_statistic import PredictionStatistic
from scangen_bundle.measures.predictions import check_predictions
from scangen_bundle.runs import RunFolder, TrackingSettings
from scangen_bundle.runs.tracking_settings import RUNS
from scangen_bundle.studies.analysis import strength_in_words
from scangen_bundle.studies.export import RESULTS, TABLE
from scangen_bundle.studies.models import with_identity
from scangen_bundle.studies.outcome import StudyOutcome
from scangen_bundle.studies.plan import Cell
from scangen_bundle.studies.results import CellResult, cell_folder, read_result
from scangen_bundle.studies.words import HEADLINE

CELL_MEASURES = ("auroc", "nll", "flip_rate", "logit_icc")


class StudyTracker:
    """Logs a study as it grows; what was logged in an earlier session is not logged again.

    Args:
        settings: where the runs go.
        folder: of the study.
        name: of the study's run.
        params: of the study's run.
    """

    def __init__(self, settings: TrackingSettings, folder: Path, name: str, params: Mapping[str, str]) -> None:
        self.settings, self.folder = settings, folder
        self.parent = settings.start_run(folder, name, params)

    def log_cell(self, cell: Cell, manifest: pd.DataFrame, rule: str) -> None:
        """Log a cell that is done, once."""
        if self.parent is None or RunFolder(self.folder / RUNS / cell.key).mlflow_run.is_file():
            return
        result = read_result(cell_folder(self.folder, cell))
        run = self.settings.start_run(self.folder, cell.key, _params(cell, rule), self.parent)
        if run is not None:
            run.log_metrics(_metrics(result, manifest, rule), result.epochs[rule])
            run.finish()

    def log_outcome(self, outcome: StudyOutcome, page: Path) -> None:
        """Log the headline values of each row, and the page and tables."""
        if self.parent is None:
            return
        values = {}
        for result in outcome.schemes:
            for row in result.rows:
                for key in HEADLINE:
                    if key in row.estimates and row.estimates[key].has_value:
                        values[f"{result.scheme.name}/{row.label}/{key}"] = row.estimates[key].value
        self.parent.log_metrics(values)
        for file in (page, self.folder / RESULTS, self.folder / TABLE):
            self.parent.log_artifact(file)

    def finish(self, status: str = "FINISHED") -> None:
        if self.parent is not None:
            self.parent.finish(status)


def _params(cell: Cell, rule: str) -> dict[str, str]:
    return {
        "method": cell.method,
        "strength": strength_in_words(cell.strength) or "as set",
        "scheme": cell.split.scheme,
        "held_out": ", ".join(cell.split.hold_out) or "none",
        "fold": str(cell.split.fold),
        "seed": str(cell.seed),
        "choose_by": rule,
    }


def _metrics(result: CellResult, manifest: pd.DataFrame, rule: str) -> dict[str, float]:
    """Measures of this fold's validation and test scans at the threshold 0.5, and the cost."""
    values = {"seconds": result.cost.seconds, "epoch": float(result.epochs[rule])}
    for name, table in (("val", result.validation_of(rule)), ("test", result.test_of(rule))):
        predictions = check_predictions(with_identity(table, manifest))
        observed = PredictionStatistic(PredictionData(predictions, 0.5, pairs=()), CELL_MEASURES).observed()
        values.update({f"{name}/{key}": value for key, value in observed.items()})
    return values
