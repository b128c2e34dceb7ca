"""Checkpoints that survive kill -9: the whole run's state after every epoch, the network alone at its best."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from scangen_bundle.data import admit_scanners
from scangen_bundle.errors import InputError
from scangen_bundle.methods import Method, overrides
from scangen_bundle.networks import unwrap
from scangen_bundle.runs.checkpoint import load_weights, read_checkpoint, save_checkpoint
from scangen_bundle.runs.folder import RunFolder

logger = logging.getLogger(__name__)


class CheckpointHandler:
    """Save the run after every epoch (`last.pt`) and the network whenever validation chose it (`best.pt`); resume by itself.

    Attach it to the trainer after the handlers that validate and that step the learning rate, so that it sees the epoch's
    final state. When training starts and `last.pt` is there, everything is restored and training goes on after that epoch:
    on the CPU to the bit, on a GPU as far as its kernels repeat themselves.

    Args:
        run_dir: the run folder; both files go to its `models/`.
        network: the network in training.
        state: further objects with `state_dict`/`load_state_dict` (optimizer, scheduler, early stopping, ...).
        evaluator: the validation engine, whose `state.best_metric_epoch` says which epoch is best; None: no `best.pt`.
        meta: plain values that describe the network and its features; they travel in both files.
        settings: plain values that the network is trained with. They travel as the entry `settings` of `meta`, and a run is
            gone on with only under the same ones: half of a schedule with another half makes no training that has a name.
        resume: False starts anew and replaces what is there.
    """

    def __init__(
        self,
        run_dir: str,
        network: torch.nn.Module,
        state: Mapping[str, Any],
        evaluator: Engine | None = None,
        meta: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        resume: bool = True,
    ) -> None:
        self.folder = RunFolder(run_dir)
        self.network = network
        self.state = dict(state)
        self.evaluator = evaluator
        self.meta = dict(meta or {})
        self.settings = dict(settings or {})
        self.resume = resume

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.restore)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)
        engine.add_event_handler(Events.COMPLETED, self.tell)

    def restore(self, engine: Engine) -> None:
        """Go on where `last.pt` ended, or start anew where there is none."""
        path = self.folder.last
        if not self._found(path):
            return
        content = read_checkpoint(path)
        self._check_settings(path, content.get("meta", {}).get("settings", {}))
        if content["run"].keys() != self.state.keys():
            raise InputError(
                path,
                f"holds the state of {sorted(content['run'])}, this configuration has {sorted(self.state)}",
                "go on with the same configuration, or start anew with --resume False or another --run_name",
            )
        load_weights(self.network, path, expected=self.meta)
        for name, item in self.state.items():
            item.load_state_dict(content["run"][name])
        max_epochs = engine.state.max_epochs
        engine.load_state_dict(content["engine"])
        engine.state.max_epochs = max_epochs  # without `settings`, a resumed run may be asked for more epochs
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

    def _found(self, path: Path) -> bool:
        """Whether there is a run to go on with; every process has to find the same."""
        found = [seen for (seen,) in idist.all_gather((self.resume and path.is_file(),))]
        if len(set(found)) > 1:
            raise InputError(
                path,
                f"is seen by {sum(found)} of {len(found)} processes",
                "give an output_dir that all machines share",
            )
        return found[0]

    def _check_settings(self, path: Path, before: Mapping[str, Any]) -> None:
        changed = [
            f"{name} {before[name]!r} (now {now!r})"
            for name, now in self.settings.items()
            if name in before and before[name] != now
        ]
        if changed:
            raise InputError(
                path,
                f"was trained with {', '.join(changed)}",
                "give the same settings to go on, another --run_name for another training, or --resume False to replace it",
            )

    def save(self, engine: Engine) -> None:
        """Write `last.pt`, and before it `best.pt` where this epoch is the best so far."""
        if idist.get_rank() != 0:
            return
        weights = {name: value.detach().cpu() for name, value in unwrap(self.network).state_dict().items()}
        meta = {**self.meta, "settings": self.settings, "epoch": engine.state.epoch}
        if isinstance(method := getattr(unwrap(self.network), "method", None), Method):
            meta["method_transforms"] = overrides(method, "transform")
        whole = {"network": weights, "meta": meta}
        best_metric, best_epoch = -1.0, -1
        if self.evaluator is not None:
            best_metric = float(self.evaluator.state.best_metric)
            best_epoch = int(self.evaluator.state.best_metric_epoch)
            if best_epoch == engine.state.epoch:
                save_checkpoint(self.folder.best, whole)
        save_checkpoint(
            self.folder.last,
            {
                **whole,
                "run": {name: item.state_dict() for name, item in self.state.items()},
                "engine": dict(engine.state_dict()),
                "scaler": scaler.state_dict() if (scaler := getattr(engine, "scaler", None)) is not None else {},
                "best_metric": best_metric,
                "best_metric_epoch": best_epoch,
                "stopped": bool(engine.should_terminate),
            },
        )

    def tell(self, engine: Engine) -> None:
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
