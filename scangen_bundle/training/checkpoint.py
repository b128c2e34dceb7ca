"""Checkpoints that survive kill -9: the whole run's state after every epoch, the network alone at its best."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import pandas as pd
import torch
from ignite.engine import Engine, Events

from scangen_bundle.data import admit_scanners
from scangen_bundle.errors import InputError, some
from scangen_bundle.methods import Method, overrides
from scangen_bundle.networks import unwrap
from scangen_bundle.runs.checkpoint import load_weights, read_checkpoint, save_checkpoint
from scangen_bundle.runs.folder import RunFolder
from scangen_bundle.runs.settings import RunSettings
from scangen_bundle.runs.splits import check_same_splits, write_splits

logger = logging.getLogger(__name__)


class CheckpointHandler:
    """Save the run after every epoch (`last.pt`) and the network whenever validation chose it (`best.pt`); resume by itself.

    Attach it to the trainer after the handlers that validate and that step the learning rate, so that it sees the epoch's
    final state. When training starts and `last.pt` exists, everything is restored and training resumes after that epoch: on
    the CPU to the bit, on a GPU as far as its kernels repeat themselves.

    Settings and splits are written with the first checkpoint and not before, so that a training that fails earlier leaves
    nothing that its next start would have to agree with.

    Args:
        run_dir: the run folder.
        network: the network in training.
        state: further objects with `state_dict`/`load_state_dict` (optimizer, scheduler, early stopping, ...).
        evaluator: the validation engine, whose `state.best_metric_epoch` says which epoch is best; None: no `best.pt`.
        meta: plain values that describe the network and its features; they travel in both files.
        settings: what the network is trained with. A run resumes only under the same settings: mixing two schedules in one
            run would make its result meaningless.
        splits: the split of every scan, see `runs.splits`; a run resumes only with the same.
        resume: False starts anew and replaces what an earlier training and its evaluation left in the folder.
    """

    def __init__(
        self,
        run_dir: str,
        network: torch.nn.Module,
        state: Mapping[str, Any],
        evaluator: Engine | None = None,
        meta: Mapping[str, Any] | None = None,
        settings: RunSettings | None = None,
        splits: pd.DataFrame | None = None,
        resume: bool = True,
    ) -> None:
        self.folder = RunFolder(run_dir)
        self.network = network
        self.state = dict(state)
        self.evaluator = evaluator
        self.meta = dict(meta or {})
        self.settings, self.splits = settings, splits
        self.resume = resume

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.restore)
        engine.add_event_handler(Events.ITERATION_COMPLETED(once=1), self.clear)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)
        engine.add_event_handler(Events.COMPLETED, self.report)

    def restore(self, engine: Engine) -> None:
        """Resume where `last.pt` ended, or start anew where there is none."""
        path = self.folder.last
        if not self._resumes(path):
            return
        content = read_checkpoint(path)
        self._check_settings(path)
        if self.splits is not None:
            check_same_splits(self.splits, self.folder.splits)
        if content["run"].keys() != self.state.keys():
            raise InputError(
                path,
                f"holds the state of {sorted(content['run'])}, this configuration has {sorted(self.state)}",
                "resume with the same configuration, or start anew with --resume False or another --run_name",
            )
        load_weights(self.network, path, expected=self.meta)
        for name, item in self.state.items():
            item.load_state_dict(content["run"][name])
        max_epochs = engine.state.max_epochs
        engine.load_state_dict(content["engine"])
        engine.state.max_epochs = max_epochs  # without `settings`, a resumed run may get more epochs
        scaler = getattr(engine, "scaler", None)
        if scaler is not None and content.get("scaler"):
            scaler.load_state_dict(content["scaler"])
        if self.evaluator is not None:
            self.evaluator.state.best_metric = content["best_metric"]
            self.evaluator.state.best_metric_epoch = content["best_metric_epoch"]
        logger.info("resumed from %s after epoch %d", path, engine.state.epoch)
        if content["stopped"]:
            logger.info("that run had stopped early; nothing is left to train")
            engine.terminate()

    def _resumes(self, path: Path) -> bool:
        """Whether there is a run to resume; every process has to see the same."""
        exists = [resumes for (resumes,) in idist.all_gather((self.resume and path.is_file(),))]
        if len(set(exists)) > 1:
            problem = f"is seen by {sum(exists)} of {len(exists)} processes"
            raise InputError(path, problem, "give an output_dir that all machines share")
        return exists[0]

    def _check_settings(self, path: Path) -> None:
        if self.settings is None:
            return
        changes = self.settings.changes(RunSettings.read(self.folder.settings))
        if changes:
            raise InputError(
                path,
                f"was trained with {some(changes, 20)}",
                "give the same settings to resume, another --run_name for another training, or --resume False to replace it",
            )

    def save(self, engine: Engine) -> None:
        """Write `last.pt`, and before it `best.pt` where this epoch is the best so far."""
        if idist.get_rank() != 0:
            return
        if not self.folder.last.is_file():
            self._write_settings()
        weights = {name: value.detach().cpu() for name, value in unwrap(self.network).state_dict().items()}
        meta = {**self.meta, "epoch": engine.state.epoch}
        if isinstance(method := getattr(unwrap(self.network), "method", None), Method):
            meta["method_transforms"] = overrides(method, "transform")
        network = {"network": weights, "meta": meta}
        best_metric, best_epoch = -1.0, -1
        if self.evaluator is not None:
            best_metric = float(self.evaluator.state.best_metric)
            best_epoch = int(self.evaluator.state.best_metric_epoch)
            if best_epoch == engine.state.epoch:
                save_checkpoint(self.folder.best, network)
        scaler = getattr(engine, "scaler", None)
        save_checkpoint(
            self.folder.last,
            {
                **network,
                "run": {name: item.state_dict() for name, item in self.state.items()},
                "engine": dict(engine.state_dict()),
                "scaler": {} if scaler is None else scaler.state_dict(),
                "best_metric": best_metric,
                "best_metric_epoch": best_epoch,
                "stopped": bool(engine.should_terminate),
            },
        )

    def clear(self, engine: Engine) -> None:
        """Remove what an earlier training left, once this one has done a first iteration and before it is validated."""
        if idist.get_rank() == 0:
            self.folder.remove_results()

    def _write_settings(self) -> None:
        if self.settings is not None:
            self.settings.write(self.folder.settings)
        if self.splits is not None:
            write_splits(self.splits, self.folder.splits)

    def report(self, engine: Engine) -> None:
        """Say where the networks are."""
        if idist.get_rank() != 0:
            return
        if self.evaluator is not None and self.evaluator.state.best_metric == -math.inf:
            how = "the last that was validated: no figure of the validation patients could choose it"
            print(f"wrote {self.folder.best} ({how}) and {self.folder.last.name}")
        elif self.folder.best.is_file():
            print(f"wrote {self.folder.best} (chosen by the validation patients) and {self.folder.last.name}")
        else:
            print(f"wrote {self.folder.last}")


class WeightsLoader:
    """Load a checkpoint's weights when an engine starts; for evaluation and inference.

    Args:
        path: the checkpoint.
        network: the module to fill.
        expected: see `load_weights`.
        records: scans (`data.make_records`) that are to be predicted; those of scanners that the network's method does not
            know are refused at the start.
        new_scanners: let the method take in such scanners from these scans.
    """

    def __init__(
        self,
        path: str,
        network: torch.nn.Module,
        expected: Mapping[str, Any] | None = None,
        records: Sequence[Mapping[str, Any]] = (),
        new_scanners: bool = False,
    ) -> None:
        self.path, self.network, self.expected = path, network, dict(expected or {})
        self.records, self.new_scanners = records, new_scanners

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        meta = load_weights(self.network, self.path, self.expected)
        if isinstance(method := getattr(unwrap(self.network), "method", None), Method):
            admit_scanners(method, self.records, self.new_scanners, meta.get("training_scanners", ()))
        logger.info("weights of epoch %s from %s", meta.get("epoch", "?"), self.path)
