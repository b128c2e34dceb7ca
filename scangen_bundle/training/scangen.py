"""Add the ScanGen loss to any MONAI trainer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents

from scangen_bundle.methods import ScanGenLoss
from scangen_bundle.networks import named_submodule, unwrap

logger = logging.getLogger(__name__)

LEVELS = ("slide", "patch_mean", "registered")
WEIGHT = "scangen_weight"


class ScanGenLossHandler:
    """Add `weight * L_scan` to the trainer's loss after the task's loss and before the backward pass.

    It listens to MONAI's `IterationEvents.LOSS_COMPLETED` and reads the embedding by a forward hook on a named submodule,
    so it works with any `SupervisedTrainer` and network, with mixed precision, gradient accumulation,
    DistributedDataParallel and torch.compile. The batch has to be a dictionary with `specimen` and `scanner` [B] (and
    `label`, `mask` where the loss or the level needs them).

    `engine.state.output` gets `loss_task`, `loss_scangen` (unweighted), `pairs_attracted` and `pairs_repelled`; its `loss` is
    the sum. The weight is `engine.state.scangen_weight`, which any of Ignite's `StateParamScheduler`s can drive; the linear
    warm-up multiplies it. While it is 0 the term is only measured.

    Args:
        loss: the loss; None: `ScanGenLoss()`.
        weight: of the loss.
        warmup_epochs: epochs over which the weight rises linearly from 0, iteration by iteration.
        embedding: name of the submodule whose output is taken. For `level="slide"` it gives [B, E]; for the other levels
            [B, N, E], as the projector `net` of `MaskedMILModel` does.
        level: "slide": the output itself; "patch_mean": the mean over a bag's real tiles; "registered": each tile that lies
            at the same `coords` in scans of one specimen, for bags whose coordinates correspond over scanners.
        max_places: "registered" takes at most so many places of a specimen, evenly spaced in the order of their coordinates,
            since pairs grow with the square of their number.
    """

    def __init__(
        self,
        loss: ScanGenLoss | None = None,
        weight: float = 1.0,
        warmup_epochs: float = 0,
        embedding: str | None = None,
        level: str = "slide",
        max_places: int = 32,
    ) -> None:
        if weight < 0 or warmup_epochs < 0:
            raise ValueError(f"expected weight and warmup_epochs of at least 0, got {weight} and {warmup_epochs}")
        if level not in LEVELS:
            raise ValueError(f"expected level to be one of {LEVELS}, got {level!r}")
        self.loss = loss if loss is not None else ScanGenLoss()
        self.weight, self.warmup_epochs, self.level, self.max_places = weight, warmup_epochs, level, max_places
        self.embedding = embedding or ("embedding" if level == "slide" else "net")
        self.batches_without = {"attracted": 0, "repelled": 0}
        self._output: torch.Tensor | None = None
        self._hook: torch.utils.hooks.RemovableHandle | None = None

    def attach(self, engine: Engine) -> None:
        """Hook the trainer's network; `engine` is a MONAI `SupervisedTrainer`."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self.add)

    def state_dict(self) -> dict[str, Any]:
        """How many batches had no pair of a kind."""
        return dict(self.batches_without)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.batches_without = {name: int(state[name]) for name in self.batches_without}

    def start(self, engine: Engine) -> None:
        module = named_submodule(unwrap(engine.network), self.embedding)
        if self._hook is not None:  # a second run of the same trainer
            self._hook.remove()
        self._hook = module.register_forward_hook(self._keep)
        if getattr(engine.state, WEIGHT, None) is None:  # a scheduler makes it as None before its first value
            setattr(engine.state, WEIGHT, self.weight)

    def _keep(self, module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        if torch.is_grad_enabled():  # validation runs the same network
            self._output = output

    def current_weight(self, engine: Engine) -> float:
        """The weight of this iteration, warm-up included."""
        weight = float(getattr(engine.state, WEIGHT))
        steps = self.warmup_epochs * engine.state.epoch_length
        return weight * min(1.0, engine.state.iteration / steps) if steps else weight

    def add(self, engine: Engine) -> None:
        """Add the term to the loss of this iteration."""
        output, self._output = self._output, None
        if output is None:
            raise RuntimeError(f"the submodule {self.embedding!r} did not run in this iteration")
        batch = engine.state.batch
        where = output.device
        ids = {
            name: batch[name].to(where) for name in ("specimen", "scanner", "label", "mask", "coords") if name in batch
        }
        if self.level == "patch_mean":
            real = ids["mask"].unsqueeze(-1)
            output = (output * real).sum(dim=1) / real.sum(dim=1).clamp_min(1)
        elif self.level == "registered":
            output, ids = registered_tiles(output, ids, self.max_places)
        weight = self.current_weight(engine)
        with torch.set_grad_enabled(weight != 0):
            terms = self.loss.terms(output, ids["specimen"], ids["scanner"], ids.get("label"))
        state = engine.state.output
        state["loss_task"] = state["loss"].detach()
        state["loss_scangen"] = terms.loss.detach()
        state["pairs_attracted"], state["pairs_repelled"] = terms.attracted, terms.repelled
        if weight != 0:
            state["loss"] = state["loss"] + weight * terms.loss
        self._count(terms.attracted, terms.repelled)

    def _count(self, attracted: torch.Tensor, repelled: torch.Tensor) -> None:
        for name, pairs in (("attracted", attracted), ("repelled", repelled)):
            if int(pairs) == 0:
                self.batches_without[name] += 1
                if self.batches_without[name] == 1:
                    logger.warning("a batch has no %s pair; that part of the ScanGen loss is zero for it", name)


def registered_tiles(
    tiles: torch.Tensor, ids: dict[str, torch.Tensor], max_places: int
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Take the tiles that lie at one place of a specimen on at least two of its scans; each place is a specimen of its own.

    Args:
        tiles: [B, N, E].
        ids: `specimen`, `scanner`, `label` [B], `mask` [B, N], `coords` [B, N, 2].
        max_places: at most so many places of a specimen.

    Returns:
        [M, E] and the `specimen` (a number of the place, the same in every process), `scanner`, `label` [M] of each; M may
        be 0.
    """
    specimen = ids["specimen"]
    place = torch.cat([specimen[:, None, None].expand(-1, tiles.shape[1], 1), ids["coords"]], dim=2)[ids["mask"]]
    # places in the order of specimen and coordinates, with the number of scans at each
    unique, of_tile, count = place.unique(dim=0, return_inverse=True, return_counts=True)
    shared = count >= 2
    keep = torch.zeros_like(shared)
    for one in specimen.unique():
        own = torch.nonzero(shared & (unique[:, 0] == one)).flatten()
        step = max(1.0, len(own) / max_places)
        keep[own[(torch.arange(min(len(own), max_places), device=own.device) * step).long()]] = True
    taken = keep[of_tile]
    per_tile = {
        name: ids[name][:, None].expand(-1, tiles.shape[1])[ids["mask"]][taken] for name in ("scanner", "label")
    }
    # 22 bits for each coordinate: a slide is less than 4 million px wide
    number = (place[:, 0] << 44) + (place[:, 1] << 22) + place[:, 2]
    return tiles[ids["mask"]][taken], {"specimen": number[taken], **per_tile}
