"""Where a job's MLflow runs go, and how they stand below each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scangen_bundle.runs.tracking import RunTracker

RUNS = "mlflow_runs"  # below a job's folder: a folder for each of its runs


@dataclass(frozen=True)
class TrackingSettings:
    """Where MLflow runs go.

    Args:
        experiment: name of the MLflow experiment; None logs nothing.
        tracking_uri, tracking_required: see `runs.RunTracker`.
        store_dir: folder of the default store, which other jobs share; None takes the job's folder.
    """

    experiment: str | None = "scangen"
    tracking_uri: str | None = None
    tracking_required: bool = True
    store_dir: str | None = None

    def start_run(
        self, folder: Path, name: str, params: Mapping[str, Any], parent: RunTracker | None = None
    ) -> RunTracker | None:
        """Start a run; None where nothing is logged.

        Args:
            folder: of the job.
            name: of the run.
            params: logged with it.
            parent: the run that it is shown below.
        """
        if self.experiment is None:
            return None
        tracker = RunTracker(
            self.store_dir or str(folder),
            str(folder / RUNS / name),
            experiment=self.experiment,
            run_name=name,
            tracking_uri=self.tracking_uri,
            tracking_required=self.tracking_required,
            params=dict(params),
            tags={"mlflow.parentRunId": str(parent.run_id)} if parent else {},
        )
        tracker.start()
        return tracker
