"""One training of a network beside the plain loop that it stands for."""

import copy

import torch

from scangen_bundle.data import collate_bags
from scangen_bundle.methods import Method
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.tasks import MaskedCrossEntropy
from scangen_bundle.training import GradientClipHandler, MethodHandler
from scangen_bundle.training.fit import train_network


class Epoch:
    """Six bags in two batches; counts how often it is gone through."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.bags = [torch.randn(3 + number, 4, generator=generator) for number in range(6)]
        self.epochs = 0

    def __len__(self):
        return 2

    def __iter__(self):
        self.epochs += 1
        for numbers in ((0, 1, 2), (3, 4, 5)):
            yield collate_bags([self.item(number) for number in numbers])

    def item(self, number):
        coords = torch.zeros(len(self.bags[number]), 2, dtype=torch.int64)
        identity = {"label": number % 2, "specimen": number // 2, "scanner": number % 2, "slide_id": str(number)}
        return {"image": self.bags[number], "coords": coords, **identity}


def make(method=None):
    torch.manual_seed(0)
    return MaskedMILModel(2, 4, projector_width=8, projector_dropout=0.0, attention_width=4, method=method)


def by_hand(network, epochs, add=lambda logits: 0.0):
    network = copy.deepcopy(network).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(epochs):
        for batch in Epoch():
            logits = network(batch["image"], batch["mask"])
            optimizer.zero_grad()
            (torch.nn.functional.cross_entropy(logits, batch["label"]) + add(logits)).backward()
            optimizer.step()
    return network.state_dict()


def fitted(network, handlers=()):
    batches = Epoch()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    train_network(network, batches, MaskedCrossEntropy(), optimizer, 3, handlers=handlers)
    assert batches.epochs == 3
    return network.state_dict()


def test_the_weights_are_those_of_the_plain_loop():
    expected = by_hand(make(), 3)
    for name, value in fitted(make()).items():
        torch.testing.assert_close(value, expected[name])


class Calm(Method):
    """Pulls the logits to zero."""

    name = "calm"

    def terms(self, embedding, logits, batch):
        return {"calm": logits.square().mean()}


def test_handlers_take_part():
    method = Calm(weight=0.5)
    expected = by_hand(make(), 3, add=lambda logits: 0.5 * logits.square().mean())
    network = make(method)
    for name, value in fitted(network, [MethodHandler(method), GradientClipHandler(1e9)]).items():
        torch.testing.assert_close(value, expected[name])
