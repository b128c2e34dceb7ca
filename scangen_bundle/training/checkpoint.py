"""Checkpoints that survive kill -9: the whole run's state after every epoch, the network alone at its best."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from scangen_bundle.data import ScannerMoments
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.training.gather import gather

logger = logging.getLogger(__name__)

LAST, BEST = "last.pt", "best.pt"


def save_checkpoint(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write `content` whole or not at all. It must hold only tensors and plain values, as `read_checkpoint` loads no code."""
    with write_atomically(path) as temporary:
        torch.save(content, temporary)


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Raises:
        InputError: the file is missing, cut short, or no checkpoint of this bundle.
    """
    if not Path(path).is_file():
        raise InputError(path, "no such checkpoint", "train first (`run training`), or name one with --checkpoint PATH")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        problem = f"cannot be read as a checkpoint ({type(error).__name__})"
        raise InputError(path, problem, "train again or copy it again") from error
    if not isinstance(content, dict) or "network" not in content:
        raise InputError(path, "holds no 'network' entry", "give a checkpoint that `run training` wrote")
    return content


def unwrap(network: torch.nn.Module) -> torch.nn.Module:
    """The plain module inside torch.compile and DistributedDataParallel."""
    network = getattr(network, "_orig_mod", network)
    return network.module if isinstance(network, torch.nn.parallel.DistributedDataParallel) else network


def load_weights(
    network: torch.nn.Module,
    path: str | os.PathLike[str],
    expected: Mapping[str, Any] | None = None,
    moments: ScannerMoments | None = None,
) -> dict:
    """Load a checkpoint's weights into `network` and give the checkpoint's description (`meta`).

    Args:
        network: the module to fill.
        path: a checkpoint that this bundle wrote.
        expected: entries of the description that must be equal, for example the encoder and the class names; of an entry
            that is a mapping, what both sides know.
        moments: filled as well, with those that the network's features were standardised by, if they were.

    Raises:
        InputError: another architecture, encoder, resolution or class list, or standardised features without `moments`.
    """
    content = read_checkpoint(path)
    meta = dict(content.get("meta", {}))
    ours, theirs = _flat(expected or {}), _flat(meta)
    for name in sorted(ours.keys() & theirs.keys()):
        if ours[name] != theirs[name]:
            raise InputError(
                path,
                f"was trained with {name} {theirs[name]!r}, this run has {ours[name]!r}",
                "use the matching features or checkpoint",
            )
    target = unwrap(network)
    shapes = {name: tuple(value.shape) for name, value in target.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in content["network"].items()}
    if shapes != found:
        different = sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))
        first = different[0]
        raise InputError(
            path,
            f"is of another architecture: {len(different)} entries differ, first {first}: "
            f"expected {shapes.get(first, 'none')}, found {found.get(first, 'none')}",
            "set network_def as in the run that made the checkpoint",
        )
    standardised = content.get("moments", {})
    if moments is not None:
        moments.load_state_dict(standardised)
    elif standardised:
        problem = "was trained on features standardised by scanner, this configuration does not standardise them"
        raise InputError(
            path, problem, "give WeightsLoader and BagDataset their `moments`, as configs/inference.yaml does"
        )
    target.load_state_dict(content["network"])
    return meta


def _flat(description: Mapping[str, Any]) -> dict[str, Any]:
    """Entries by name, those of a mapping as `name.entry`."""
    flat: dict[str, Any] = {}
    for name, value in description.items():
        flat.update(
            {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, Mapping) else {name: value}
        )
    return flat


class CheckpointHandler:
    """Save the run after every epoch (`last.pt`) and the network whenever validation chose it (`best.pt`); resume by itself.

    Attach it to the trainer after the handlers that validate and that step the learning rate, so that it sees the epoch's
    final state. When training starts and `last.pt` is there, everything is restored and training goes on after that epoch:
    on the CPU to the bit, on a GPU as far as its kernels repeat themselves.

    Args:
        folder: where the two files go.
        network: the network in training.
        state: further objects with `state_dict`/`load_state_dict` (optimizer, scheduler, early stopping, ...).
        evaluator: the validation engine, whose `state.best_metric_epoch` says which epoch is best; None: no `best.pt`.
        meta: plain values that describe the network and its features; they travel in both files.
        settings: plain values that the network is trained with. They travel as the entry `settings` of `meta`, and a run is
            gone on with only under the same ones: half of a schedule with another half makes no training that has a name.
        resume: False starts anew and replaces what is there.
        moments: that features are standardised by; they travel in both files.
    """

    def __init__(
        self,
        folder: str,
        network: torch.nn.Module,
        state: Mapping[str, Any],
        evaluator: Engine | None = None,
        meta: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        resume: bool = True,
        moments: ScannerMoments | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.network = network
        self.state = dict(state)
        self.evaluator = evaluator
        self.meta = dict(meta or {})
        self.settings = dict(settings or {})
        self.resume = resume
        self.moments = ScannerMoments() if moments is None else moments

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.restore)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)
        engine.add_event_handler(Events.COMPLETED, self.tell)

    def restore(self, engine: Engine) -> None:
        """Go on where `last.pt` ended, or start anew where there is none."""
        path = self.folder / LAST
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
        load_weights(self.network, path, expected=self.meta, moments=self.moments)
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
        found = gather(self.resume and path.is_file())
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
        whole = {"network": weights, "meta": meta, "moments": self.moments.state_dict()}
        best_metric, best_epoch = -1.0, -1
        if self.evaluator is not None:
            best_metric = float(self.evaluator.state.best_metric)
            best_epoch = int(self.evaluator.state.best_metric_epoch)
            if best_epoch == engine.state.epoch:
                save_checkpoint(self.folder / BEST, whole)
        save_checkpoint(
            self.folder / LAST,
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
            print(f"wrote {self.folder / BEST} ({how}) and {LAST}")
        elif (self.folder / BEST).is_file():
            print(f"wrote {self.folder / BEST} (chosen by the validation patients) and {LAST}")
        else:
            print(f"wrote {self.folder / LAST}")


class WeightsLoader:
    """Load a checkpoint's weights when an engine starts; for evaluation and inference.

    Args:
        path: the checkpoint.
        network: the module to fill.
        expected, moments: see `load_weights`.
    """

    def __init__(
        self,
        path: str,
        network: torch.nn.Module,
        expected: Mapping[str, Any] | None = None,
        moments: ScannerMoments | None = None,
    ) -> None:
        self.path, self.network, self.expected, self.moments = path, network, dict(expected or {}), moments

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        meta = load_weights(self.network, self.path, self.expected, self.moments)
        logger.info("weights of epoch %s from %s", meta.get("epoch", "?"), self.path)
