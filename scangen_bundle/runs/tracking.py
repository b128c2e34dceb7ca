"""MLflow: one run per training, continued when the training is resumed and by its evaluation."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist

from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.runs.folder import RunFolder

logger = logging.getLogger(__name__)


def local_store(folder: str | os.PathLike[str]) -> str:
    """The tracking address of a SQLite store below `folder`."""
    return f"sqlite:///{Path(folder).resolve() / 'mlflow.db'}"


def _connect(uri: str, experiment: str, artifacts: str | None) -> tuple[Any, str]:
    """A client and the experiment's id; quick to fail where nobody answers."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    from mlflow import MlflowClient  # takes two seconds to import: only where something is tracked

    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        from mlflow.exceptions import MlflowException

        try:
            return client, client.create_experiment(experiment, artifact_location=artifacts)
        except MlflowException:
            found = client.get_experiment_by_name(experiment)  # a job that started at the same time made it meanwhile
            if found is None:
                raise
    return client, found.experiment_id


def metric_key(key: str) -> str:
    """The key with what MLflow takes in a metric's name: letters, digits, `_ - . : /` and spaces; others become `_`."""
    return re.sub(r"[^\w\-.:/ ]", "_", key)


class RunTracker:
    """The MLflow run of one training, shared by its handlers.

    The run's id is kept in `<run_dir>/mlflow_run.txt`, so a resumed training and a later evaluation log to the same run.
    `MLFLOW_TRACKING_URI` wins over `tracking_uri`; without either the store is a SQLite file below `output_dir`.

    Args:
        output_dir: holds the default store and its artifacts; several runs share it.
        run_dir: the folder of this run.
        experiment: MLflow experiment.
        run_name: name shown in MLflow.
        tracking_uri: a server or database; None for the default store.
        tracking_required: False: a server that cannot be reached at the start is a warning and the default store is used; one
            that fails later is a warning, and what it did not take is left out.
        params: plain values logged once when the run is made.
        tags: tags of the run.
    """

    def __init__(
        self,
        output_dir: str,
        run_dir: str,
        experiment: str = "scangen",
        run_name: str | None = None,
        tracking_uri: str | None = None,
        tracking_required: bool = True,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.output_dir, self.run_dir = Path(output_dir), Path(run_dir)
        self.experiment = experiment
        self.run_name = run_name or self.run_dir.name
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or tracking_uri or local_store(output_dir)
        self.required = tracking_required
        self.params = dict(params or {})
        self.tags = dict(tags or {})
        self._client: Any = None
        self._run_id: str | None = None

    @property
    def active(self) -> bool:
        """Only the first of several processes logs."""
        return idist.get_rank() == 0

    def start(self) -> None:
        """Connect and find or make the run.

        Raises:
            InputError: the server does not answer and tracking is required.
        """
        if self._client is not None or not self.active:
            return
        self.output_dir.mkdir(parents=True, exist_ok=True)
        artifacts = (self.output_dir.resolve() / "mlartifacts").as_uri()
        try:
            self._client, experiment_id = _connect(
                self.uri, self.experiment, artifacts if self.uri.startswith("sqlite:") else None
            )
        except Exception as error:  # the client raises its own, requests' and SQLAlchemy's errors
            if self.required or self.uri == local_store(self.output_dir):
                raise InputError(
                    self.uri,
                    f"the MLflow store cannot be reached ({type(error).__name__})",
                    "start it, change MLFLOW_TRACKING_URI or tracking_uri, or set --tracking_required False",
                ) from error
            logger.warning("MLflow at %s cannot be reached; tracking goes to %s", self.uri, self.output_dir)
            self.uri = local_store(self.output_dir)
            self._client, experiment_id = _connect(self.uri, self.experiment, artifacts)
        self._run_id = self._find_run() or self._make_run(experiment_id)
        self._client.update_run(self._run_id, status="RUNNING")

    def _find_run(self) -> str | None:
        """The run that this folder's earlier session made, where the store still knows it."""
        path = RunFolder(self.run_dir).mlflow_run
        if not path.is_file():
            return None
        from mlflow.exceptions import MlflowException

        run_id = path.read_text().strip()
        try:
            self._client.get_run(run_id)
        except MlflowException:
            logger.warning("MLflow does not know run %s of %s any more; a new run is made", run_id, path)
            return None
        return run_id

    def _make_run(self, experiment_id: str) -> str:
        from mlflow.entities import Param

        run = self._client.create_run(experiment_id, run_name=self.run_name, tags={"use": "research only", **self.tags})
        params = [Param(name, str(value)[:6000]) for name, value in self.params.items()]
        self._client.log_batch(run.info.run_id, params=params)
        with write_atomically(RunFolder(self.run_dir).mlflow_run) as temporary:
            temporary.write_text(run.info.run_id)
        return run.info.run_id

    @property
    def run_id(self) -> str | None:
        return self._run_id

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log finite numbers in one call. An undefined metric has no point in MLflow, rather than a made-up one."""
        if not self.active:
            return
        self.start()
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        finite = {metric_key(name): float(value) for name, value in metrics.items() if math.isfinite(value)}
        points = [Metric(name, value, now, step) for name, value in finite.items()]
        for first in range(0, len(points), 900):  # MLflow takes at most 1,000 in a batch
            self._tell("log_batch", metrics=points[first : first + 900])

    def log_artifact(self, path: str | os.PathLike[str], folder: str | None = None) -> None:
        """Copy a file into the run."""
        if self.active:
            self.start()
            self._tell("log_artifact", str(path), folder)

    def finish(self, status: str = "FINISHED") -> None:
        """Mark the run as ended; a later session opens it again."""
        if self._client is not None:
            self._tell("set_terminated", status=status)

    def _tell(self, what: str, *args: Any, **options: Any) -> None:
        """Call the client's method for this run; what fails half-way is a warning where tracking is not required."""
        try:
            getattr(self._client, what)(self._run_id, *args, **options)
        except Exception as error:  # as in `start`
            problem = f"the MLflow store no longer takes what is logged ({type(error).__name__})"
            if self.required:
                remedy = "mend it and give the same command again, which goes on from the last checkpoint"
                raise InputError(self.uri, problem, f"{remedy}; or set --tracking_required False") from error
            logger.warning("%s: %s; going on without it", self.uri, problem)
