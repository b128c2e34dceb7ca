"""A checkpoint resumes a run exactly, and refuses what does not fit."""

import math

import numpy as np
import pytest
import torch
from ignite.engine import Events
from ignite.metrics import MetricsLambda
from monai.handlers import ValidationHandler

from scangen_bundle.data import ScannerMoments
from scangen_bundle.errors import InputError
from scangen_bundle.runs import RunFolder, load_weights, read_checkpoint
from scangen_bundle.training.checkpoint import CheckpointHandler
from scangen_bundle.training.early_stop import EarlyStopHandler
from scangen_bundle.training.epoch import EpochSeedHandler
from scangen_bundle.training.per_scanner import is_better

from ..two_processes import in_two_processes
from .engines import Network, make_evaluator, make_trainer


def train(folder, max_epochs, stop_after=None, **options):
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    checkpoint = CheckpointHandler(folder, network, {"optimizer": optimizer}, **options)
    trainer = make_trainer(network, optimizer, [EpochSeedHandler(0), checkpoint], max_epochs)
    if stop_after:

        @trainer.on(Events.ITERATION_COMPLETED)
        def die(engine):
            if engine.state.epoch > stop_after:
                raise KeyboardInterrupt  # in the middle of the next epoch

        with pytest.raises(KeyboardInterrupt):
            trainer.run()
    else:
        trainer.run()
    return network, trainer


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    whole, _ = train(tmp_path / "whole", 4)
    train(tmp_path / "broken", 4, stop_after=2)
    resumed, trainer = train(tmp_path / "broken", 4)
    assert trainer.state.epoch == 4
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_finished_run_is_not_trained_again(tmp_path):
    first, _ = train(tmp_path, 2)
    again, trainer = train(tmp_path, 2)
    assert trainer.state.iteration == 4
    assert torch.equal(first.head.weight, again.head.weight)


def test_the_best_network_is_that_of_the_epoch_which_validation_chose(tmp_path):
    network = Network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    evaluator = make_evaluator(network)
    weights = {}

    class Validate:
        """Says that epoch 2 is the best."""

        def attach(self, engine):
            engine.add_event_handler(Events.EPOCH_COMPLETED, self)

        def __call__(self, engine):
            weights[engine.state.epoch] = network.head.weight.detach().clone()
            evaluator.state.best_metric, evaluator.state.best_metric_epoch = 0.9, min(2, engine.state.epoch)

    checkpoint = CheckpointHandler(tmp_path, network, {"optimizer": optimizer}, evaluator)
    make_trainer(network, optimizer, [Validate(), checkpoint], 4).run()
    best = read_checkpoint(RunFolder(tmp_path).best)
    assert torch.equal(best["network"]["head.weight"], weights[2])
    assert best["meta"]["epoch"] == 2
    assert torch.equal(read_checkpoint(RunFolder(tmp_path).last)["network"]["head.weight"], weights[4])


@pytest.mark.parametrize(
    ("figures", "best", "last", "said"),
    [
        ([-math.inf] * 6, 6, 6, "could choose it"),
        ([-math.inf, 0.5, 0.4, -math.inf, 0.4, 0.6], 2, 5, "chosen by the validation patients"),
    ],
)
def test_an_undefined_choice_keeps_the_last_network_and_does_not_end_training(
    tmp_path, capsys, figures, best, last, said
):
    network = Network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    choice = MetricsLambda(lambda: figures[trainer.state.epoch - 1])
    evaluator = make_evaluator(network, key={"choice": choice}, metric_cmp_fn=is_better)
    handlers = [
        ValidationHandler(1, evaluator),
        EarlyStopHandler(evaluator, patience=3),
        CheckpointHandler(tmp_path, network, {"optimizer": optimizer}, evaluator),
    ]
    trainer = make_trainer(network, optimizer, handlers, 6)
    trainer.run()
    assert trainer.state.epoch == last
    assert read_checkpoint(RunFolder(tmp_path).best)["meta"]["epoch"] == best
    assert said in capsys.readouterr().out


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path):
    train(tmp_path, 1)
    with pytest.raises(InputError, match=r"another architecture.*head\.weight.*\(2, 6\).*\(2, 4\)"):
        load_weights(Network(features=6), RunFolder(tmp_path).last)


def test_a_checkpoint_of_another_encoder_is_refused(tmp_path):
    train(tmp_path, 1, meta={"encoder": "uni"})
    with pytest.raises(InputError, match="trained with encoder 'uni', this run has 'virchow'"):
        load_weights(Network(), RunFolder(tmp_path).last, expected={"encoder": "virchow"})


def test_features_of_another_resolution_are_refused_and_what_they_do_not_tell_is_not_compared(tmp_path):
    train(tmp_path, 1, meta={"features": {"encoder": "uni", "mpp": 0.5}})
    with pytest.raises(InputError, match=r"trained with features\.mpp 0\.5, this run has 28\.97"):
        load_weights(Network(), RunFolder(tmp_path).last, expected={"features": {"encoder": "uni", "mpp": 28.97}})
    load_weights(Network(), RunFolder(tmp_path).last, expected={"features": {"encoder": "uni", "tile_px": 224}})


def moments_of_one_scanner():
    return ScannerMoments().fit({"s": [np.random.default_rng(0).normal(size=(9, 4))]}, ["s"])


def test_the_scanners_moments_travel_with_the_network(tmp_path):
    moments, image = moments_of_one_scanner(), torch.randn(3, 4)
    train(tmp_path, 1, moments=moments)
    found = ScannerMoments()
    load_weights(Network(), RunFolder(tmp_path).last, moments=found)
    assert torch.equal(found(image, "s"), moments(image, "s"))
    resumed = ScannerMoments().fit({"s": [np.ones((2, 4)), np.zeros((2, 4))]}, ["s"])  # bags that changed meanwhile
    train(tmp_path, 2, moments=resumed)
    assert torch.equal(resumed(image, "s"), moments(image, "s"))


def test_a_network_of_standardised_features_is_not_used_on_others(tmp_path):
    train(tmp_path, 1, moments=moments_of_one_scanner())
    with pytest.raises(InputError, match=r"trained on features standardised by scanner.*give WeightsLoader"):
        load_weights(Network(), RunFolder(tmp_path).last)


def test_a_network_of_plain_features_leaves_them_as_they_are(tmp_path):
    train(tmp_path, 1)
    left = moments_of_one_scanner()
    load_weights(Network(), RunFolder(tmp_path).last, moments=left)
    assert not left


def test_a_missing_or_damaged_checkpoint_is_named(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        read_checkpoint(tmp_path / "absent.pt")
    train(tmp_path, 1)
    path = RunFolder(tmp_path).last
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        read_checkpoint(path)


def test_a_checkpoint_that_carries_code_is_refused(tmp_path):
    torch.save({"network": Network()}, tmp_path / "code.pt")
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        read_checkpoint(tmp_path / "code.pt")


def test_a_run_is_gone_on_with_only_under_the_settings_that_it_began_with(tmp_path):
    settings = {"weight": 100.0, "lr": 0.1, "unseen": ["A"]}
    train(tmp_path, 2, settings=settings)
    assert read_checkpoint(RunFolder(tmp_path).last)["meta"]["settings"] == settings
    train(tmp_path, 2, settings=dict(settings))
    with pytest.raises(
        InputError, match=r"trained with weight 100\.0 \(now 0\.0\), lr 0\.1 \(now 0\.5\) -> .*--run_name"
    ):
        train(tmp_path, 2, settings={**settings, "weight": 0.0, "lr": 0.5})
    train(tmp_path, 2, settings={**settings, "lr": 0.5}, resume=False)
    assert read_checkpoint(RunFolder(tmp_path).last)["meta"]["settings"]["lr"] == 0.5


class MixedPrecision:
    """Gives the trainer a scaler at its start, as MONAI's does on a GPU."""

    def __init__(self, scale):
        self.scale, self.seen = scale, []

    def attach(self, engine):
        engine.add_event_handler(Events.STARTED, self)
        engine.add_event_handler(Events.EPOCH_STARTED, lambda engine: self.seen.append(engine.scaler.get_scale()))

    def __call__(self, engine):
        engine.scaler = torch.amp.GradScaler("cpu", init_scale=self.scale)


def test_the_scale_of_mixed_precision_goes_on_where_it_was(tmp_path):
    for scale, epochs, seen in ((8.0, 2, [8.0, 8.0]), (2.0, 3, [8.0])):
        network, precision = Network(), MixedPrecision(scale)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        checkpoint = CheckpointHandler(tmp_path, network, {"optimizer": optimizer})
        make_trainer(network, optimizer, [precision, checkpoint], epochs).run()
        assert precision.seen == seen


def _restore_in_own_folder(rank, folder):
    network = Network()
    handler = CheckpointHandler(f"{folder}/{rank}", network, {})
    try:
        handler.restore(make_trainer(network, torch.optim.SGD(network.parameters(), lr=0.1), []))
    except InputError as error:
        return str(error)


def test_processes_that_do_not_see_the_same_checkpoint_refuse_to_start(tmp_path):
    train(tmp_path / "0", 1)
    for answer in in_two_processes(_restore_in_own_folder, str(tmp_path)):
        assert "is seen by 1 of 2 processes -> give an output_dir that all machines share" in answer
