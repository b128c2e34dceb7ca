"""A method inside any MONAI trainer: fitted before the first epoch, its terms added to the loss of each batch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents

from scangen_bundle.data import with_reading_bar
from scangen_bundle.errors import InputError
from scangen_bundle.methods import Batch, Method, Scan, fit_method, gather_batch, overrides
from scangen_bundle.networks import named_submodule, unwrap

logger = logging.getLogger(__name__)

BATCH = ("specimen", "scanner", "label", "scanner_key", "view", "mask", "coords")


class MethodHandler:
    """Serve a method, or several combined: fit it, and add `weight * terms` to the loss before the backward pass.

    It listens to MONAI's `IterationEvents.LOSS_COMPLETED` and reads the embedding by a forward hook on a named submodule,
    so it works with any `SupervisedTrainer` and network, with mixed precision, gradient accumulation,
    DistributedDataParallel and torch.compile. The batch has to be a dictionary with `specimen` and `scanner` [B] (and
    `label`, `mask`, `coords` where the method needs them).

    `engine.state.output` gets `loss_task`, `loss_<term>` of each term (unweighted) and each count; its `loss` is the sum. The
    weight of each method is `engine.state.<method>_weight`, which any of Ignite's `StateParamScheduler`s can drive; the linear
    warm-up multiplies it. While it is 0 the terms are only measured.

    Args:
        method: the one that the network holds, if it does more than add terms.
        scans: training patients' scans that it is fitted on (`data.training_scans`). It is fitted when training begins, not
            when a checkpoint is resumed, which brings what was fitted.
        gather: compute the terms over the scans of all processes.
        embedding: name of the submodule that gives the slide embedding [B, E].
    """

    def __init__(
        self, method: Method, scans: Sequence[Scan] = (), gather: bool = False, embedding: str = "embedding"
    ) -> None:
        self.method, self.scans, self.gather, self.embedding = method, list(scans), gather, embedding
        self.members = [member for member in method.members() if overrides(member, "terms")]
        self._outputs: dict[str, torch.Tensor] = {}
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._warned: set[str] = set()
        self._resumed: dict[str, Any] = {}

    def attach(self, engine: Engine) -> None:
        """Hook the trainer's network; `engine` is a MONAI `SupervisedTrainer`."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.EPOCH_STARTED(once=1), self.fit)
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self.add)
        if any(overrides(self.method, hook) for hook in ("start_epoch", "after_step", "end_epoch")):
            engine.add_event_handler(Events.EPOCH_STARTED, self._call, "start_epoch")
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._after_step)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._call, "end_epoch")

    def state_dict(self) -> dict[str, Any]:
        """What the methods need to resume a training, by their names."""
        return {member.name: member.training_state() for member in self.method.members()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Keep what the methods need until training starts."""
        self._resumed = dict(state)

    def _call(self, engine: Engine, hook: str) -> None:
        network = unwrap(engine.network)
        for member in self.method.members():
            if hook == "start_epoch" and member.name in self._resumed:
                member.load_training_state(self._resumed.pop(member.name), network)
            getattr(member, hook)(network)

    def _after_step(self, engine: Engine) -> None:
        position = (engine.state.iteration - 1) % engine.state.epoch_length + 1
        steps = engine.accumulation_steps
        if position % steps == 0 or position == engine.state.epoch_length:  # as MONAI's trainer steps its optimizer
            self._call(engine, "after_step")

    def start(self, engine: Engine) -> None:
        """Hook the submodules that the terms are computed from.

        Raises:
            InputError: the network lacks one of them, or does not hold a method that is a part of it.
        """
        network = unwrap(engine.network)
        held = getattr(network, "method", None) is self.method
        if not held and (overrides(self.method, "transform") or overrides(self.method, "build")):
            problem = f"does not hold the method {self.method.name}, which is a part of the network"
            remedy = "use scangen_bundle.networks.MaskedMILModel with method: '@method_def'"
            raise InputError(f"network {type(network).__name__}", problem, remedy)
        for hook in self._hooks:  # a second run of the same trainer
            hook.remove()
        self._hooks = []
        for name in {self._submodule(member) for member in self.members}:
            self._hooks.append(named_submodule(network, name).register_forward_hook(self._keeper(name)))
        for member in self.members:
            if getattr(engine.state, _weight_of(member), None) is None:  # a scheduler makes it as None first
                setattr(engine.state, _weight_of(member), member.weight)

    def fit(self, engine: Engine) -> None:
        """Fit the method on the training scans."""
        if overrides(self.method, "fit"):
            fit_method(self.method, with_reading_bar(self.scans, f"fitting {self.method.name}"))

    def add(self, engine: Engine) -> None:
        """Add the terms to the loss of this iteration."""
        output = engine.state.output
        output["loss_task"] = output["loss"].detach()
        if not self.members:
            return
        device = output["pred"].device
        batch = {name: engine.state.batch[name].to(device) for name in BATCH if name in engine.state.batch}
        for member in self.members:
            weight = self._current_weight(engine, member)
            with torch.set_grad_enabled(weight != 0):
                terms = self._terms(member, output["pred"], batch)
            for name, value in terms.items():
                if not value.is_floating_point():
                    output[name] = value
                    self._warn_if_zero(name, value)
                    continue
                output[f"loss_{name}"] = value.detach()
                if weight != 0:
                    output["loss"] = output["loss"] + weight * value
        self._outputs = {}

    def _terms(self, member: Method, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        name = self._submodule(member)
        if name not in self._outputs:
            raise RuntimeError(f"the submodule {name!r} did not run in this iteration")
        # Under autocast a product of float32 would be computed in half precision again.
        with torch.autocast(device_type=logits.device.type, enabled=False):
            embedding, rows = member.embed(self._outputs[name], batch)
            embedding, logits = _at_least_float32(embedding), _at_least_float32(logits)
            if self.gather:
                embedding, logits, rows = gather_batch(embedding, logits, rows)
            return member.terms(embedding, logits, rows)

    def _submodule(self, member: Method) -> str:
        return self.embedding if member.embedding == "embedding" else member.embedding

    def _keeper(self, name: str) -> Callable[[torch.nn.Module, object, torch.Tensor], None]:
        def keep(module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
            if torch.is_grad_enabled():  # validation runs the same network
                self._outputs[name] = output

        return keep

    def _current_weight(self, engine: Engine, member: Method) -> float:
        """The weight of this iteration, warm-up included."""
        weight = float(getattr(engine.state, _weight_of(member)))
        steps = member.warmup_epochs * engine.state.epoch_length
        return weight * min(1.0, engine.state.iteration / steps) if steps else weight

    def _warn_if_zero(self, name: str, count: torch.Tensor) -> None:
        if name not in self._warned and int(count) == 0:
            self._warned.add(name)
            logger.warning("a batch has no %s: that part of the loss is zero for it", name.replace("_", " "))


def _weight_of(member: Method) -> str:
    """Name of a method's weight in the engine's state."""
    return f"{member.name}_weight".replace("-", "_")


def _at_least_float32(values: torch.Tensor) -> torch.Tensor:
    return values if values.dtype in (torch.float32, torch.float64) else values.float()
