"""One MLflow run per training, whatever interrupts it."""

import math
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Events
from mlflow import MlflowClient

from scangen_bundle.errors import InputError
from scangen_bundle.runs import RunFolder, read_checkpoint
from scangen_bundle.runs.store import local_store
from scangen_bundle.runs.tracking import RunTracker
from scangen_bundle.training.checkpoint import CheckpointHandler
from scangen_bundle.training.tracking import TrainingTracker

from ..two_processes import in_two_processes
from .engines import Network, make_evaluator, make_trainer


@pytest.fixture(autouse=True)
def _no_tracking_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def history(folder, run_id, name):
    points = MlflowClient(local_store(folder)).get_metric_history(run_id, name)
    return [(point.step, point.value) for point in sorted(points, key=lambda point: point.step)]


def test_epoch_means_are_logged_once_per_epoch(tmp_path):
    network, losses = Network(), []
    optimizer = torch.optim.SGD(network.parameters(), lr=0.25)
    tracker = RunTracker(tmp_path, tmp_path / "run", params={"seed": 7})
    evaluator = make_evaluator(network)
    evaluator.state.metrics, evaluator.state.epoch = {"auroc/mean": 0.75, "auroc/B": math.nan}, 2

    class Losses:
        def attach(self, engine):
            engine.add_event_handler(Events.ITERATION_COMPLETED, lambda e: losses.append(float(e.state.output["loss"])))

    make_trainer(network, optimizer, [Losses(), TrainingTracker(tracker, evaluator)], 2).run()
    logged = history(tmp_path, tracker.run_id, "train/loss")
    assert [step for step, _ in logged] == [1, 2]
    assert [value for _, value in logged] == pytest.approx([sum(losses[:2]) / 2, sum(losses[2:]) / 2])
    assert history(tmp_path, tracker.run_id, "train/learning_rate") == [(1, 0.25), (2, 0.25)]
    assert history(tmp_path, tracker.run_id, "val/auroc/mean") == [(2, 0.75)]
    assert history(tmp_path, tracker.run_id, "val/auroc/B") == []  # undefined is not a number
    run = MlflowClient(local_store(tmp_path)).get_run(tracker.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "7"}
    assert run.data.tags["use"] == "research only"


class DiesAfter:
    """An MLflow client whose store takes this many batches of metrics and then nothing any more."""

    def __init__(self, client, batches):
        self.client, self.left = client, batches

    def log_batch(self, *args, **options):
        self.left -= 1
        self._answer()
        self.client.log_batch(*args, **options)

    def set_terminated(self, *args, **options):
        self._answer()
        self.client.set_terminated(*args, **options)

    def _answer(self):
        if self.left < 0:
            raise ConnectionError("nobody there")


def train_with_dying_store(folder, required):
    network = Network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.25)
    tracker = RunTracker(folder, folder / "run", tracking_required=required)
    tracker.start()
    tracker._client = DiesAfter(tracker._client, batches=1)
    checkpoint = CheckpointHandler(folder, network, {"optimizer": optimizer})
    trainer = make_trainer(network, optimizer, [checkpoint, TrainingTracker(tracker)], 3)
    return tracker, trainer


def test_a_store_that_dies_half_way_stops_training_with_its_epochs_kept(tmp_path):
    _, trainer = train_with_dying_store(tmp_path, required=True)
    with pytest.raises(
        InputError,
        match=r"mlflow\.db: .*: nobody there -> .*resumes from the last checkpoint",
    ):
        trainer.run()
    assert read_checkpoint(RunFolder(tmp_path).last)["meta"]["epoch"] == 2  # its second epoch could not be logged


def test_a_store_that_dies_half_way_is_a_warning_where_tracking_is_not_required(tmp_path, caplog):
    tracker, trainer = train_with_dying_store(tmp_path, required=False)
    trainer.run()
    assert trainer.state.epoch == 3
    assert "nobody there; going on without it" in caplog.text
    assert [step for step, _ in history(tmp_path, tracker.run_id, "train/loss")] == [1]


def test_a_failed_training_is_marked_as_failed(tmp_path):
    network = Network()
    tracker = RunTracker(tmp_path, tmp_path / "run")

    class Fail:
        def attach(self, engine):
            engine.add_event_handler(Events.ITERATION_COMPLETED, self)

        def __call__(self, engine):
            raise RuntimeError("disk on fire")

    trainer = make_trainer(
        network, torch.optim.SGD(network.parameters(), lr=0.1), [TrainingTracker(tracker), Fail()], 1
    )
    with pytest.raises(RuntimeError, match="disk on fire"):
        trainer.run()
    assert MlflowClient(local_store(tmp_path)).get_run(tracker.run_id).info.status == "FAILED"


def _losses_of_an_epoch(rank, folder):
    """Each process has a loss of its own, and as many iterations."""
    tracker = RunTracker(folder, f"{folder}/run")
    handler = TrainingTracker(tracker)
    for loss in (1.0, 2.0) if rank == 0 else (4.0, 5.0):
        handler.accumulate(SimpleNamespace(state=SimpleNamespace(output={"loss": torch.tensor(loss)})))
    handler.log_epoch(SimpleNamespace(state=SimpleNamespace(metrics={}, epoch=1)))
    return tracker.run_id


def test_the_loss_of_two_processes_is_the_mean_of_both(tmp_path):
    run_id, other = in_two_processes(_losses_of_an_epoch, str(tmp_path))
    assert other is None
    assert history(tmp_path, run_id, "train/loss") == [(1, 3.0)]
