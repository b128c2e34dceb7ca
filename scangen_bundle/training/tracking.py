"""Keep the metrics of every epoch: in the run's `history.csv`, and in its MLflow run."""

from __future__ import annotations

import contextlib

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from scangen_bundle.errors import InputError
from scangen_bundle.runs.folder import RunFolder
from scangen_bundle.runs.history import add_epoch
from scangen_bundle.runs.tracking import RunTracker


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


class TrainingTracker:
    """Log the epoch's mean of each scalar of the trainer's output, learning rate and validation metrics, once per epoch.

    The scalars are the loss, its terms and a method's counts (see `MethodHandler`), logged as `train/<name>`.

    An iteration's log costs a database commit (20 ms to a quarter of a second); the mean over an epoch costs one.

    Args:
        tracker: the run.
        evaluator: validation engine; its metrics are logged as `val/<name>`.
    """

    def __init__(self, tracker: RunTracker, evaluator: Engine | None = None) -> None:
        self.tracker, self.evaluator = tracker, evaluator
        self._sums: dict[str, float | torch.Tensor] = {}
        self._count = 0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, lambda _: self.tracker.start())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.accumulate)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.log_epoch)
        engine.add_event_handler(Events.COMPLETED, lambda _: self.tracker.finish())
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.fail)

    def accumulate(self, engine: Engine) -> None:
        for key, value in engine.state.output.items():
            if isinstance(value, torch.Tensor) and value.dim() == 0:
                self._sums[key] = self._sums.get(key, 0.0) + value.detach()
            elif _is_number(value):
                self._sums[key] = self._sums.get(key, 0.0) + value
        self._count += 1

    def log_epoch(self, engine: Engine) -> None:
        """Write and log the epoch."""
        metrics = {**self._mean_losses(), **self._numbers("train", engine)}
        optimizer = getattr(engine, "optimizer", None)
        if optimizer is not None:
            metrics["train/learning_rate"] = optimizer.param_groups[0]["lr"]
        if self.evaluator is not None and self.evaluator.state.epoch == engine.state.epoch:
            metrics.update(self._numbers("val", self.evaluator))
        if idist.get_rank() == 0:
            add_epoch(RunFolder(self.tracker.run_dir).history, engine.state.epoch, metrics)
        self.tracker.log_metrics(metrics, step=engine.state.epoch)

    def _mean_losses(self) -> dict[str, float]:
        """Means over the iterations of all processes since the last call."""
        local = {key: float(total) for key, total in self._sums.items()}
        gathered = idist.all_gather((self._count, local))
        iterations = sum(count for count, _ in gathered)
        means = {}
        for key in self._sums:
            means[f"train/{key}"] = sum(sums[key] for _, sums in gathered) / iterations
        self._sums, self._count = {}, 0
        return means

    @staticmethod
    def _numbers(prefix: str, engine: Engine) -> dict[str, float]:
        return {f"{prefix}/{name}": value for name, value in engine.state.metrics.items() if _is_number(value)}

    def fail(self, engine: Engine, error: BaseException) -> None:
        with contextlib.suppress(InputError):  # a store that fails as well must not hide this error
            self.tracker.finish("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise error
