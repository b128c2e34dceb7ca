"""A progress bar for an engine's batches or epochs."""

from __future__ import annotations

import sys

import ignite.distributed as idist
from ignite.engine import Engine, Events
from tqdm import tqdm


class ProgressHandler:
    """Show how far an engine is, with the time left, on standard error of the first process.

    Ignite's `ProgressBar` begins at 1 and ends at 100 % where training stops early; this one counts what was done.

    Args:
        description: shown before the bar.
        unit: "batch" counts an evaluator's batches, "epoch" a trainer's epochs with the epoch's loss beside it.
    """

    def __init__(self, description: str, unit: str = "batch") -> None:
        if unit not in ("batch", "epoch"):
            raise ValueError(f"expected unit 'batch' or 'epoch', got {unit!r}")
        self.description, self.unit = description, unit
        self._bar: tqdm | None = None

    def attach(self, engine: Engine) -> None:
        step = Events.ITERATION_COMPLETED if self.unit == "batch" else Events.EPOCH_COMPLETED
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(step, self.advance)
        engine.add_event_handler(Events.COMPLETED, self.close)

    def start(self, engine: Engine) -> None:
        total = engine.state.epoch_length if self.unit == "batch" else engine.state.max_epochs
        self._bar = tqdm(
            total=total,
            desc=self.description,
            unit=self.unit,
            file=sys.stderr,
            disable=idist.get_rank() != 0,
        )

    def advance(self, engine: Engine) -> None:
        assert self._bar is not None
        done = engine.state.iteration if self.unit == "batch" else engine.state.epoch
        if self.unit == "epoch":
            self._bar.set_postfix(loss=f"{float(engine.state.output['loss'].detach()):.3f}", refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self, engine: Engine) -> None:
        assert self._bar is not None
        self._bar.close()
