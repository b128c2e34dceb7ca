"""The names of a run's files, in one place."""

from __future__ import annotations

import os
from pathlib import Path


class RunFolder:
    """The folder of one training, with what training and evaluation write into it.

    Args:
        path: the folder; it need not exist.

    Attributes:
        settings: what the run was trained with; written with the first checkpoint.
        splits: the split of every scan; written with the first checkpoint.
        best: weights of the epoch that validation chose.
        last: the whole state of training after its last epoch.
        history: training and validation metrics, a row per epoch.
        val_predictions: predictions of the validation scans by the network of `best`.
        predictions: predictions of the test scans.
        embeddings: slide embeddings of the test scans.
        colours: mean colour of the test scans, where colours were extracted.
        audit: resolution and tiles of the test scans' features, a row per scanner.
        report: the page.
        metrics: metrics of the test scans; written last, so that it stands for a finished evaluation.
        mlflow_run: the id of the run in MLflow.
        lock: held while the folder is written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.settings = self.path / "settings.yaml"
        self.splits = self.path / "splits.csv"
        self.best = self.path / "models" / "best.pt"
        self.last = self.path / "models" / "last.pt"
        self.history = self.path / "history.csv"
        self.val_predictions = self.path / "val_predictions.csv"
        self.predictions = self.path / "predictions.csv"
        self.embeddings = self.path / "embeddings.npz"
        self.colours = self.path / "colours.npz"
        self.audit = self.path / "audit.csv"
        self.report = self.path / "report.html"
        self.metrics = self.path / "metrics.json"
        self.mlflow_run = self.path / "mlflow_run.txt"
        self.lock = self.path / ".lock"

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """Of the folder, also where the path is `.`."""
        return self.path.resolve().name

    def remove_results(self) -> None:
        """Remove what a training and its evaluation left.

        `last` goes first, so that an interruption never leaves it with another training's files.
        """
        trained = (self.last, self.best, self.settings, self.splits, self.history, self.val_predictions)
        evaluated = (self.metrics, self.report, self.predictions, self.embeddings, self.colours, self.audit)
        tables = (self.val_predictions.with_suffix(".parquet"), self.predictions.with_suffix(".parquet"))
        for path in (*trained, *evaluated, *tables):
            path.unlink(missing_ok=True)
