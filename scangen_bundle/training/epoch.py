"""Make every epoch a function of (seed, epoch) alone, so that a resumed run draws what an uninterrupted one draws."""

from __future__ import annotations

from collections.abc import Sequence

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events


class EpochSeedHandler:
    """Tell samplers and datasets which epoch begins, and seed torch from (seed, epoch, rank).

    Dropout draws from torch's global generator. Seeding it at each epoch's start means that a checkpoint at an epoch's
    end needs no generator state.

    Args:
        seed: the run's seed.
        epoch_aware: objects with `set_epoch(int)`: datasets that draw tiles, samplers that shuffle.
    """

    def __init__(self, seed: int, epoch_aware: Sequence[object] = ()) -> None:
        missing = [type(item).__name__ for item in epoch_aware if not hasattr(item, "set_epoch")]
        if missing:
            raise ValueError(f"expected objects with set_epoch(int), got {missing}")
        self.seed = seed
        self.epoch_aware = list(epoch_aware)

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        epoch = engine.state.epoch
        for item in self.epoch_aware:
            item.set_epoch(epoch)  # type: ignore[attr-defined]
        torch.manual_seed((self.seed * 1_000_003 + epoch) * 10_007 + idist.get_rank())
