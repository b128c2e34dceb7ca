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
import pandas as pd

from scangen_bundle import __version__
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.runs.folder import RunFolder
from scangen_bundle.runs.store import connect, experiment_id, explained, local_store
from scangen_bundle.secrets import masked

logger = logging.getLogger(__name__)

BATCH = 900  # metrics; MLflow takes at most 1,000
LONGEST_PARAM = 6000  # characters that MLflow takes


def metric_key(key: str) -> str:
    """The key with what MLflow takes in a metric's name: letters, digits, `_ - . : /` and spaces; others become `_`."""
    return re.sub(r"[^\w\-.:/ ]", "_", key)


def _source_tags() -> dict[str, str]:
    """Who made a run, with which program and which commit of it, as MLflow finds them."""
    from mlflow.tracking.context.registry import resolve_tags

    return {**resolve_tags(), "mlflow.source.name": f"scangen_bundle {__version__}"}


class RunTracker:
    """The MLflow run of one training, shared by its handlers.

    The run's id is kept in `<run_dir>/mlflow_run.txt`, so a resumed training and a later evaluation log to the same run.
    `MLFLOW_TRACKING_URI` wins over `tracking_uri`; without either the store is a SQLite file in `output_dir`.

    Args:
        output_dir: holds the default store and its artifacts; several runs share it.
        run_dir: the folder of this run.
        experiment: MLflow experiment.
        run_name: name shown in MLflow.
        tracking_uri: a server or database; None for the default store.
        tracking_required: False: a store that fails at the start is a warning, and the default store is used or, if that
            fails too, none; one that fails later is a warning, and nothing more is logged.
        params: plain values logged once when the run is made.
        tags: tags of the run.
        description: text that MLflow shows above the run, as Markdown.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        run_dir: str | os.PathLike[str],
        experiment: str = "scangen",
        run_name: str | None = None,
        tracking_uri: str | None = None,
        tracking_required: bool = True,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        description: str = "",
    ) -> None:
        self.output_dir, self.run_dir = Path(output_dir), Path(run_dir)
        self.experiment = experiment
        self.run_name = run_name or self.run_dir.resolve().name
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or tracking_uri or local_store(output_dir)
        self.required = tracking_required
        self.params = {name: masked(str(value))[:LONGEST_PARAM] for name, value in (params or {}).items()}
        self.tags = {"use": "research only", **(tags or {})}
        if description:
            self.tags["mlflow.note.content"] = description
        self._client: Any = None
        self._run_id: str | None = None
        self._is_off = False

    @property
    def active(self) -> bool:
        """Only the first of several processes logs, and nothing does once a store that is not required has failed."""
        return idist.get_rank() == 0 and not self._is_off

    @property
    def run_id(self) -> str | None:
        """Of the MLflow run; None before the start."""
        return self._run_id

    def start(self) -> None:
        """Connect, and find or make the run.

        Raises:
            InputError: the store fails and tracking is required.
        """
        if self._client is not None or not self.active:
            return
        local = local_store(self.output_dir)
        for uri in dict.fromkeys((self.uri, local)):
            try:
                self._start(uri)
                return
            except InputError as error:
                if self.required:
                    raise
                instead = f"tracking goes to {self.output_dir}" if uri != local else "going on without tracking"
                logger.warning("%s; %s", error, instead)
        self._is_off = True

    def _start(self, uri: str) -> None:
        client = connect(uri)
        try:
            run_id = self._find_run(client) or self._make_run(client, uri)
            client.update_run(run_id, status="RUNNING")
        except InputError:
            raise
        except Exception as error:  # as in `connect`
            raise explained(uri, error) from error
        self.uri, self._client, self._run_id = uri, client, run_id

    def _find_run(self, client: Any) -> str | None:
        """The run that this folder's earlier session made, if it still exists and is of the same training."""
        path = RunFolder(self.run_dir).mlflow_run
        if not path.is_file():
            return None
        from mlflow.exceptions import MlflowException

        run_id = path.read_text().strip()
        try:
            run = client.get_run(run_id)
        except MlflowException:
            logger.warning("MLflow does not know run %s of %s any more; a new run is made", run_id, path)
            return None
        if run.info.lifecycle_stage == "deleted":
            logger.warning("run %s of %s was deleted in MLflow; a new run is made", run_id, path)
            return None
        return run_id if self._is_same_training(run.data.params) else None

    def _is_same_training(self, params: Mapping[str, str]) -> bool:
        """Whether the run had the same settings; a training that failed before its first checkpoint may have had others."""
        return all(self.params[name] == value for name, value in params.items() if name in self.params)

    def _make_run(self, client: Any, uri: str) -> str:
        from mlflow.entities import Param

        tags = {name: masked(value) for name, value in {**_source_tags(), **self.tags}.items()}
        run = client.create_run(experiment_id(client, uri, self.experiment), run_name=self.run_name, tags=tags)
        client.log_batch(run.info.run_id, params=[Param(name, value) for name, value in self.params.items()])
        with write_atomically(RunFolder(self.run_dir).mlflow_run) as temporary:
            temporary.write_text(run.info.run_id)
        return str(run.info.run_id)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log finite numbers in one call. An undefined metric has no point in MLflow, rather than a made-up one."""
        self.start()
        if not self.active:
            return
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        finite = {metric_key(name): float(value) for name, value in metrics.items() if math.isfinite(value)}
        points = [Metric(name, value, now, step) for name, value in finite.items()]
        for first in range(0, len(points), BATCH):
            self._call("log_batch", metrics=points[first : first + BATCH])

    def log_artifact(self, path: str | os.PathLike[str], folder: str | None = None) -> None:
        """Copy a file into the run."""
        self.start()
        self._call("log_artifact", str(path), folder)

    def log_dataset(self, name: str, table: pd.DataFrame, context: str, source: str) -> None:
        """Enter scans as an input of the run: number, columns and digest, not the rows.

        Args:
            name: of the data set.
            table: a row per scan; nothing is entered where there is none.
            context: what they are for, such as "train" or "test".
            source: where they come from.
        """
        self.start()
        if not self.active or table.empty:
            return
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.data.pandas_dataset import from_pandas
        from mlflow.entities import DatasetInput, InputTag

        texts = table.astype({column: str for column in table.columns if table[column].dtype == object})
        made_from = CodeDatasetSource({"manifest": masked(source)})
        entity = from_pandas(texts, source=made_from, name=name or "cohort")._to_mlflow_entity()
        self._call("log_inputs", datasets=[DatasetInput(entity, [InputTag("mlflow.data.context", context)])])

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run."""
        self.start()
        for name, value in tags.items():
            self._call("set_tag", name, masked(value))

    def finish(self, status: str = "FINISHED") -> None:
        """Mark the run as ended; a later session opens it again."""
        if self._client is not None:
            self._call("set_terminated", status=status)

    def _call(self, method: str, *args: Any, **options: Any) -> None:
        """Call the client's method for this run; where tracking is not required, a failure is a warning and the last call."""
        if not self.active:
            return
        try:
            getattr(self._client, method)(self._run_id, *args, **options)
        except Exception as error:  # as in `connect`
            failure = explained(self.uri, error)
            if self.required:
                remedy = f"{failure.remedy}. The same command resumes from the last checkpoint"
                raise InputError(failure.where, failure.problem, remedy) from error
            self._is_off = True
            logger.warning("%s: %s; going on without it", failure.where, failure.problem)
