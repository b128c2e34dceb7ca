"""The moving average of the weights: its formula, what validation sees, and resuming."""

import pytest
import torch
from ignite.engine import Events
from monai.engines import SupervisedTrainer

from scangen_bundle.data import PrepareBagBatch, collate_bags
from scangen_bundle.methods.ema import Ema
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.runs import RunFolder, read_checkpoint
from scangen_bundle.tasks import MaskedCrossEntropy
from scangen_bundle.training import CheckpointHandler, MethodHandler


class Record:
    """Keeps the first layer's weights after each step and, before other handlers of the epoch's end, at each end."""

    def __init__(self, network):
        self.network, self.steps, self.ends = network, [], []

    def attach(self, engine):
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda _: self.steps.append(self.weight()))
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda _: self.ends.append(self.weight()))

    def weight(self):
        return self.network.net[0].weight.detach().clone()


def items():
    generator = torch.Generator().manual_seed(0)
    return [
        {
            "image": torch.randn(5, 4, generator=generator),
            "coords": torch.zeros(5, 2, dtype=torch.int64),
            "label": number % 2,
            "specimen": number,
            "scanner": 0,
            "slide_id": str(number),
        }
        for number in range(8)
    ]


def train(epochs, method, folder=None, **options):
    torch.manual_seed(0)
    network = MaskedMILModel(2, 4, projector_width=8, projector_dropout=0.0, attention_width=4, method=method)
    first = network.net[0].weight.detach().clone()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5, momentum=0.9)
    handler, record = MethodHandler(method), Record(network)
    handlers = [handler, record]
    if folder is not None:
        handlers.append(CheckpointHandler(folder, network, {"optimizer": optimizer, "method": handler}))
    batches = torch.utils.data.DataLoader(items(), batch_size=4, collate_fn=collate_bags)
    SupervisedTrainer(
        "cpu",
        epochs,
        batches,
        network,
        optimizer,
        MaskedCrossEntropy(),
        train_handlers=handlers,
        prepare_batch=PrepareBagBatch(),
        decollate=False,
        **options,
    ).run()
    return network, first, record


@pytest.mark.parametrize("decay", [0.3, 0.99])
def test_the_epoch_ends_with_the_average_of_the_steps(decay):
    network, average, record = train(3, Ema(decay))
    ends = []
    for number, weight in enumerate(record.steps, start=1):
        share = min(decay, (1 + number) / (10 + number))
        average = share * average + (1 - share) * weight
        if number % 2 == 0:
            ends.append(average)
    for end, expected in zip(record.ends, ends, strict=True):
        torch.testing.assert_close(end, expected)
    torch.testing.assert_close(network.net[0].weight.detach(), ends[-1])


def test_training_goes_on_from_its_own_weights():
    with_average, without = train(3, Ema())[2], train(3, Ema(0.0))[2]
    plain = train(3, Ema(0.5))[2]
    for one, other, third in zip(with_average.steps, without.steps, plain.steps, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one, third)
    assert not torch.equal(with_average.ends[-1], without.ends[-1])


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(tmp_path):
    whole, *_ = train(4, Ema(), tmp_path / "whole")
    train(2, Ema(), tmp_path / "broken")
    resumed, *_ = train(4, Ema(), tmp_path / "broken")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_checkpoints_hold_the_average_and_no_more(tmp_path):
    network, *_ = train(2, Ema(), tmp_path)
    stored = read_checkpoint(RunFolder(tmp_path).last)["network"]
    assert stored.keys() == MaskedMILModel(2, 4).state_dict().keys()
    assert torch.equal(stored["net.0.weight"], network.net[0].weight)


def test_only_steps_of_the_optimizer_count_where_gradients_are_accumulated():
    method = Ema()
    train(2, method, accumulation_steps=2)
    assert method.training_state()["steps"] == 2


def test_a_decay_of_one_is_refused():
    with pytest.raises(ValueError, match="decay"):
        Ema(1.0)
