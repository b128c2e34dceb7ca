"""MLflow runs of a benchmark: one that holds the files, and below it one per encoder with its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scangen_bundle.runs.tracking import RunTracker

FILES = ("results.json", "results.csv", "leaderboard.html")


@dataclass(frozen=True)
class TrackingSettings:
    """Where MLflow runs go.

    Args:
        experiment: name of the MLflow experiment; None logs nothing.
        tracking_uri, tracking_required: see `runs.RunTracker`.
        store_dir: folder of the default store, which other jobs share; None takes the benchmark's folder.
    """

    experiment: str | None = "scangen-benchmark"
    tracking_uri: str | None = None
    tracking_required: bool = True
    store_dir: str | None = None

    def start_run(
        self, folder: Path, name: str, params: Mapping[str, Any], parent: RunTracker | None = None
    ) -> RunTracker | None:
        """Start a run; None where nothing is logged.

        Args:
            folder: of the benchmark.
            name: of the run.
            params: logged with it.
            parent: the run that it is shown below.
        """
        if self.experiment is None:
            return None
        tracker = RunTracker(
            self.store_dir or str(folder),
            str(folder / "mlflow_runs" / name),
            experiment=self.experiment,
            run_name=name,
            tracking_uri=self.tracking_uri,
            tracking_required=self.tracking_required,
            params=dict(params),
            tags={"mlflow.parentRunId": str(parent.run_id)} if parent else {},
        )
        tracker.start()
        return tracker


def tracked_values(result: Mapping[str, Any]) -> dict[str, float]:
    """An encoder's values as `benchmark/<measure>` and `benchmark/<measure>/<scanner>`; undefined ones are left out."""
    values = {key: entry["value"] for key, entry in result["figures"].items()}
    for key, by_scanner in result["scanners"].items():
        values.update({f"{key}/{scanner}": entry["value"] for scanner, entry in by_scanner.items()})
    values["tiles_per_second"] = result["encoder"]["tiles_per_second"]
    return {f"benchmark/{key}": value for key, value in values.items() if value is not None}
