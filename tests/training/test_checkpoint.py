"""A checkpoint resumes a run exactly, and refuses what does not fit."""

import math

import pytest
import torch
from ignite.engine import Events
from ignite.metrics import MetricsLambda
from monai.handlers import ValidationHandler

from scangen_bundle.errors import InputError
from scangen_bundle.methods import create_method, fit_method, scanner_keys
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.runs import RunFolder, RunSettings, load_weights, read_checkpoint
from scangen_bundle.runs.checkpoint import save_checkpoint
from scangen_bundle.training.checkpoint import CheckpointHandler, WeightsLoader
from scangen_bundle.training.early_stop import EarlyStopHandler
from scangen_bundle.training.epoch import EpochSeedHandler
from scangen_bundle.training.per_scanner import is_better

from ..methods.scans import random_scans
from ..runs.finished_run import scans
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


def save_network(path, network, **meta):
    save_checkpoint(path, {"network": network.state_dict(), "meta": meta})


def fitted_network(name="standardise"):
    network = MaskedMILModel(2, 4, method=create_method(name))
    fit_method(network.method, random_scans(features=4))
    return network.eval()


def test_what_a_method_fitted_travels_with_the_network(tmp_path):
    network, image = fitted_network(), torch.randn(3, 5, 4)
    save_network(tmp_path / "a.pt", network, method="standardise", method_transforms=True)
    keys = scanner_keys(["a", "b", "c"])
    for loaded in (MaskedMILModel(2, 4), MaskedMILModel(2, 4, method=create_method("standardise"))):
        load_weights(loaded, tmp_path / "a.pt")
        assert torch.equal(loaded.eval()(image, None, keys), network(image, None, keys))


def test_a_method_that_only_had_terms_is_not_needed_to_use_its_network(tmp_path):
    network = MaskedMILModel(2, 4)
    network.method.register_buffer("of_training", torch.ones(2))
    described = {"method": "of a plugin that is not here", "method_options": {}}
    save_network(tmp_path / "a.pt", network, **described, method_transforms=False)
    loaded = MaskedMILModel(2, 4, method=create_method("standardise"))
    load_weights(loaded, tmp_path / "a.pt")
    assert loaded.method.name == "plain"
    assert torch.equal(loaded.myfc.weight, network.myfc.weight)
    save_network(tmp_path / "b.pt", network, **described, method_transforms=True)
    with pytest.raises(InputError, match="method 'of a plugin that is not here'"):
        load_weights(loaded, tmp_path / "b.pt")


def test_training_says_in_the_checkpoint_whether_the_method_is_needed(tmp_path):
    for name, needed in (("scangen", False), ("standardise+scangen", True)):
        network = MaskedMILModel(2, 4, method=create_method(name))
        handler = CheckpointHandler(tmp_path, network, {})
        handler.save(make_trainer(network, torch.optim.SGD(network.parameters(), lr=0.1), []))
        assert read_checkpoint(RunFolder(tmp_path).last)["meta"]["method_transforms"] is needed


def test_a_checkpoint_whose_moments_lie_outside_the_network_is_refused(tmp_path):
    content = {"network": Network().state_dict(), "meta": {}, "moments": {"target": {}, "scanners": {}}}
    save_checkpoint(tmp_path / "old.pt", content)
    with pytest.raises(
        InputError, match=r"--standardise True of an older version.*train again with --method standardise"
    ):
        load_weights(Network(), tmp_path / "old.pt")


def test_a_checkpoint_of_an_older_version_without_moments_is_read(tmp_path):
    network = MaskedMILModel(2, 4)
    content = {"network": network.state_dict(), "meta": {"settings": {"scangen_weight": 100.0}}, "moments": {}}
    save_checkpoint(tmp_path / "old.pt", content)
    loaded = MaskedMILModel(2, 4, method=create_method("scangen"))
    load_weights(loaded, tmp_path / "old.pt")
    assert torch.equal(loaded.myfc.weight, network.myfc.weight)


def records_on(*scanners):
    identity = ("scanner_name", "slide_id", "specimen_id", "patient_id", "features_path")
    return [dict.fromkeys(identity, name) for name in scanners]


def test_scans_of_scanners_that_the_method_does_not_know_are_refused_before_the_first(tmp_path):
    save_network(tmp_path / "a.pt", fitted_network(), method="standardise", training_scanners=["a", "b"])
    evaluator = make_evaluator(MaskedMILModel(2, 4))
    WeightsLoader(tmp_path / "a.pt", evaluator.network, records=records_on("a", "c"))(evaluator)
    with pytest.raises(
        InputError, match=r"scanner d: the network's method standardise .* trained on a, b -> .*--new_sc"
    ):
        WeightsLoader(tmp_path / "a.pt", evaluator.network, records=records_on("a", "d"))(evaluator)


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


def settings(**changes):
    return RunSettings({"weight": 100.0, "lr": 0.1, "unseen": ["A"], "network_def": 1, **changes})


def test_a_run_resumes_only_under_the_settings_that_it_began_with(tmp_path):
    train(tmp_path, 2, settings=settings())
    assert RunSettings.read(RunFolder(tmp_path).settings).config == settings().config
    train(tmp_path, 2, settings=settings())
    with pytest.raises(
        InputError, match=r"trained with weight 100\.0 \(now 0\.0\), lr 0\.1 \(now 0\.5\) -> .*--run_name"
    ):
        train(tmp_path, 2, settings=settings(weight=0.0, lr=0.5))
    train(tmp_path, 2, settings=settings(lr=0.5), resume=False)
    assert RunSettings.read(RunFolder(tmp_path).settings)["lr"] == 0.5


def splits(first):
    return scans(2).assign(split=[first, first, "test", "test"])


def test_a_run_resumes_only_with_the_splits_that_it_began_with(tmp_path):
    train(tmp_path, 1, splits=splits("train"))
    train(tmp_path, 2, splits=splits("train"))
    with pytest.raises(InputError, match="the splits have changed for 2 scans"):
        train(tmp_path, 3, splits=splits("val"))


class Fail:
    """Ends a training in its first epoch."""

    def attach(self, engine):
        engine.add_event_handler(Events.ITERATION_COMPLETED(once=2), self)

    def __call__(self, engine):
        raise RuntimeError("memory is full")


def test_a_training_that_fails_in_its_first_epoch_leaves_nothing_that_the_next_must_agree_with(tmp_path):
    network = Network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    checkpoint = CheckpointHandler(tmp_path, network, {}, settings=settings(), splits=splits("val"))
    with pytest.raises(RuntimeError, match="memory is full"):
        make_trainer(network, optimizer, [checkpoint, Fail()]).run()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    train(tmp_path, 1, settings=settings(lr=9.0), splits=splits("train"))


def test_a_training_that_starts_anew_leaves_no_result_of_the_earlier_one(tmp_path):
    train(tmp_path, 2, settings=settings())
    folder = RunFolder(tmp_path)
    stale = (folder.best, folder.metrics, folder.report, folder.predictions, folder.val_predictions, folder.history)
    for path in stale:
        path.write_text("of the earlier training")
    train(tmp_path, 2, settings=settings())  # finished: nothing is trained, and nothing removed
    assert all(path.exists() for path in stale)
    train(tmp_path, 1, settings=settings(lr=0.5), resume=False)
    assert not any(path.exists() for path in stale)


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
