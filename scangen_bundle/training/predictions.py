"""Predictions of every scan as one table, gathered over batches and processes, written as CSV and Parquet."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import ignite.distributed as idist
import pandas as pd
from ignite.engine import Engine, Events

from scangen_bundle.files import check_writable
from scangen_bundle.measures.predictions import IDENTITY
from scangen_bundle.runs.predictions import write_predictions
from scangen_bundle.tasks import PREDICTION, Classification, Task


class PredictionsHandler:
    """Collect an evaluator's predictions; `table` holds them after each run, `path` the best or only run's.

    Expects `engine.state.output["prediction"]` [B, K] (`tasks.Predict`) and `engine.state.batch["slide_id"]`.

    Args:
        manifest: gives specimen, patient, scanner and label of each slide.
        path: CSV to write; the same rows go to a Parquet file beside it.
        only_best: write only when this run is the best so far by the engine's key metric (for validation while training), with
            its epoch in a column `epoch`, which says the network that these are of.
        task: names the columns; None: classification.
    """

    def __init__(self, manifest: pd.DataFrame, path: str, only_best: bool = False, task: Task | None = None) -> None:
        self.task = Classification() if task is None else task
        self.manifest = manifest.set_index("slide_id", drop=False)
        self.path = Path(path)
        self.only_best = only_best
        self.table = pd.DataFrame()
        self._rows: list[pd.DataFrame] = []

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.check)
        engine.add_event_handler(Events.EPOCH_STARTED, self.reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)

    def check(self, engine: Engine) -> None:
        """Fail before the forward passes where the table cannot be written after them."""
        if idist.get_rank() == 0:
            check_writable(self.path.parent)

    def reset(self, engine: Engine) -> None:
        self._rows = []

    def collect(self, engine: Engine) -> None:
        columns = self.task.columns(engine.state.output[PREDICTION].cpu())
        rows = {"slide_id": list(engine.state.batch["slide_id"]), **columns}
        self._rows.append(pd.DataFrame(rows))

    def write(self, engine: Engine) -> None:
        batches = list(chain.from_iterable(idist.all_gather(self._rows)))
        if not batches:
            raise ValueError(f"no scan was evaluated: there is nothing to write to {self.path}")
        scans = pd.concat(batches)
        scans = scans.drop_duplicates("slide_id")  # a distributed sampler repeats scans to fill its last batch
        identity = self.manifest.loc[scans["slide_id"], list(IDENTITY)].reset_index(drop=True)
        table = pd.concat([identity, scans.drop(columns="slide_id").reset_index(drop=True)], axis=1)
        self.table = table.sort_values("slide_id", ignore_index=True)
        is_best = engine.state.best_metric_epoch == engine.state.epoch
        if idist.get_rank() != 0:
            return
        if not self.only_best:
            write_predictions(self.table, self.path)
            print(f"wrote {self.path} and {self.path.with_suffix('.parquet').name}")
        elif is_best:
            write_predictions(self.table.assign(epoch=engine.state.epoch), self.path)
