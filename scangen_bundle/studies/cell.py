"""One cell of a study: the bundle's own training of one network, and its predictions of validation and test scans."""

from __future__ import annotations

import copy
import logging
import resource
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from monai.utils import set_determinism

from scangen_bundle.errors import find_input_error
from scangen_bundle.measures.predictions import check_predictions
from scangen_bundle.networks import unwrap
from scangen_bundle.studies.models import with_identity
from scangen_bundle.studies.plan import Cell
from scangen_bundle.studies.results import CellResult, Cost, cell_folder, is_done, write_failure, write_result
from scangen_bundle.studies.scans import split_scans
from scangen_bundle.studies.worker import Worker, open_worker
from scangen_bundle.tasks import PREDICTION, Task
from scangen_bundle.training.choice import RULES, Candidate, choose_in_turn

# Handlers of the training that a cell leaves out: it writes no checkpoint, logs no epoch, and trains to the end of its
# schedule, so that every rule of choice sees every epoch.
LEFT_OUT = ("@progress_handler", "@checkpoint_handler", "@tracking_handler", "@early_stop_handler")


@dataclass(frozen=True)
class CellOutcome:
    """What comes back from a worker.

    Attributes:
        seconds: that the cell took; 0 where it was done before.
        reason: why it failed; "" where it did not.
    """

    seconds: float
    reason: str = ""


def run_cell(folder: str, cell: Cell) -> CellOutcome:
    """Train a cell and write its folder; a cell that is done is not trained again.

    Args:
        folder: of the study, with its `study.json`.
        cell: what to train.

    Returns:
        Whether it worked. A failure is written, too, and does not end the study.
    """
    target = cell_folder(Path(folder), cell)
    if is_done(target):
        return CellOutcome(0.0)
    start = time.perf_counter()
    try:
        worker = open_worker(folder)
        with _quiet(worker.facts.threads):
            write_result(target, train_cell(worker, cell))
        return CellOutcome(time.perf_counter() - start)
    except Exception as error:
        explained = find_input_error(error)
        reason = str(explained) if explained else f"{type(error).__name__}: {error}"
        write_failure(target, cell, reason, traceback.format_exc())
        return CellOutcome(time.perf_counter() - start, reason)


def train_cell(worker: Worker, cell: Cell) -> CellResult:
    """Train one network and predict the validation scans after every validated epoch, the test scans at the chosen ones."""
    start = time.perf_counter()
    facts = worker.facts
    scans = split_scans(worker.manifest, cell.split, facts.schemes[cell.split.scheme], cell.seed, facts.rules)
    parser = configure(worker, cell, scans)
    set_determinism(seed=cell.seed)  # before the network, whose first weights are drawn
    network = parser.get_parsed_content("network")
    task = parser.get_parsed_content("task_def")
    validated = EpochKeeper(network, task)
    validated.attach(parser.get_parsed_content("validate#evaluator"))
    parser.get_parsed_content("train#trainer").run()
    training_seconds = time.perf_counter() - start

    validation = pd.concat(validated.tables.values(), ignore_index=True)
    epochs = choose_epochs(validated.tables, worker.manifest, facts.choose_by)
    evaluator = parser.get_parsed_content("test#evaluator")
    tested = EpochKeeper(network, task, keep_weights=False)
    tested.attach(evaluator)
    for epoch in sorted(set(epochs.values())):
        unwrap(network).load_state_dict(validated.weights[epoch])
        evaluator.run(epoch)
    test = pd.concat(tested.tables.values(), ignore_index=True)
    cost = Cost(
        seconds=time.perf_counter() - start,
        training_seconds=training_seconds,
        parameters=sum(values.numel() for values in network.parameters() if values.requires_grad),
        memory_mb=peak_memory_mb(),
        device=str(parser.get_parsed_content("device")),
    )
    return CellResult(cell, validation, test, epochs, cost)


def choose_epochs(tables: Mapping[int, pd.DataFrame], manifest: pd.DataFrame, rules: Sequence[str]) -> dict[str, int]:
    """The epoch that each rule takes, as a training takes it: one that was the choice when it was validated.

    A rule may change its mind about an earlier epoch once it sees a later one, but a training has kept only the network that
    was its choice at the time.

    Args:
        tables: predictions of the validation scans by epoch.
        manifest: of the study.
        rules: names of `choice.RULES`.
    """
    epochs = sorted(tables)
    candidates = [Candidate(check_predictions(with_identity(tables[epoch], manifest))) for epoch in epochs]
    return {rule: epochs[choose_in_turn(RULES[rule], candidates)] for rule in rules}


def configure(worker: Worker, cell: Cell, scans: pd.DataFrame) -> ConfigParser:
    """The config of `run training` for a cell: without its checkpoints and logs, and with a section `test` like `validate`.

    Args:
        worker: whose bags stay open.
        cell: what to train.
        scans: the manifest with the cell's splits.
    """
    parser = worker.parser(cell)
    parser["test"] = _renamed(copy.deepcopy(parser["validate"]), "validate", "test")
    for section, split in (("train", "train"), ("validate", "val"), ("test", "test")):
        parser[f"{section}#dataset#data"] = worker.records_of(scans, split)
        parser[f"{section}#dataset#reader"] = worker.bags
    for section in ("validate", "test"):
        parser[f"{section}#handlers"] = []
        parser[f"{section}#evaluator#key_val_metric"] = None
        parser[f"{section}#evaluator#additional_metrics"] = None
    parser["train#handlers"] = _without(parser["train#handlers"], LEFT_OUT)
    parser["train#trainer#key_train_metric"] = None
    parser["method_handler#scans"] = worker.training_scans(scans)
    return parser


def _renamed(config: Any, old: str, new: str) -> Any:
    """A section's config whose references to itself, `@old#...`, are to `@new#...`."""
    if isinstance(config, dict):
        return {name: _renamed(value, old, new) for name, value in config.items()}
    if isinstance(config, list):
        return [_renamed(value, old, new) for value in config]
    return config.replace(f"@{old}#", f"@{new}#") if isinstance(config, str) else config


def _without(config: Any, names: Sequence[str]) -> Any:
    """A list of handlers, and the lists inside it, without those of these names."""
    if isinstance(config, dict):
        return {name: _without(value, names) for name, value in config.items()}
    if isinstance(config, list):
        return [_without(value, names) for value in config if not (isinstance(value, str) and value in names)]
    return config


class EpochKeeper:
    """Keeps the predictions of each run of an evaluator, and the network's weights then.

    Args:
        network: that is evaluated.
        task: names the columns.
        keep_weights: of each run.

    Attributes:
        tables: `slide_id`, the task's columns and `epoch`, by epoch.
        weights: state of the network, by epoch.
    """

    def __init__(self, network: torch.nn.Module, task: Task, keep_weights: bool = True) -> None:
        self.network, self.task, self.keep_weights = network, task, keep_weights
        self.tables: dict[int, pd.DataFrame] = {}
        self.weights: dict[int, dict[str, torch.Tensor]] = {}
        self._batches: list[pd.DataFrame] = []

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.keep)

    def collect(self, engine: Engine) -> None:
        columns = self.task.columns(engine.state.output[PREDICTION].cpu())
        self._batches.append(pd.DataFrame({"slide_id": list(engine.state.batch["slide_id"]), **columns}))

    def keep(self, engine: Engine) -> None:
        epoch = int(engine.state.epoch)
        table = pd.concat(self._batches).sort_values("slide_id", ignore_index=True)
        self.tables[epoch] = table.assign(epoch=epoch)
        self._batches = []
        if self.keep_weights:
            state = unwrap(self.network).state_dict()
            self.weights[epoch] = {name: value.detach().clone() for name, value in state.items()}


@contextmanager
def _quiet(threads: int) -> Iterator[None]:
    """Without the warnings of a single training, which a study repeats a thousand times; with so many threads of torch."""
    before = logging.root.manager.disable, torch.get_num_threads()
    logging.disable(logging.WARNING)
    if threads:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        logging.disable(before[0])
        torch.set_num_threads(before[1])


def peak_memory_mb() -> float:
    """Largest memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
