"""A network that the engines cannot call is refused with what they expect."""

import pytest
import torch
from monai.networks.nets import MILModel
from torch import nn

from scangen_bundle.errors import InputError
from scangen_bundle.networks import MaskedMILModel, check_takes_mask, named_submodule


class Keywords(nn.Module):
    def forward(self, x, **options):
        return x


class Optional(nn.Module):
    def forward(self, x, no_head=False, *, mask=None, scanner=None):
        return x


class OfOneBag(nn.Module):
    def forward(self, x):
        return x


class Clinical(nn.Module):
    def forward(self, x, age, mask=None):
        return x


def monais():
    return MILModel(2, pretrained=False, backbone=nn.Identity(), backbone_num_features=8)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (OfOneBag, r"network OfOneBag: its forward\(x\) cannot be called .*unexpected keyword argument 'mask'"),
        (monais, r"network MILModel: its forward\(x.*no_head.* cannot be called .*'mask'"),
        (Clinical, r"network Clinical: .*missing a required argument: 'age'"),
    ],
)
def test_a_network_that_cannot_be_called_with_a_mask_is_refused_by_its_class(make, problem):
    with pytest.raises(InputError, match=problem + r".* -> give it a forward\(image \[B, N, D\], mask \[B, N\]"):
        check_takes_mask(make())
    with pytest.raises(TypeError):
        make()(torch.zeros(1, 3, 8), mask=torch.ones(1, 3, dtype=torch.bool))


@pytest.mark.parametrize("make", [Keywords, Optional, lambda: MaskedMILModel(2, 8)])
def test_a_network_that_can_be_called_with_mask_and_scanner_passes(make):
    network = make()
    check_takes_mask(network)
    example = torch.zeros(1, 3, 8), torch.ones(1, 3, dtype=torch.bool)
    network(example[0], mask=example[1], scanner=torch.zeros(1, dtype=torch.int64))


def test_of_a_traced_network_nothing_is_claimed():
    check_takes_mask(torch.jit.trace(nn.Linear(8, 2), torch.zeros(1, 8)))


def test_a_submodule_that_is_not_there_is_refused_with_those_that_are():
    network = MaskedMILModel(2, 8)
    assert named_submodule(network, "embedding") is network.embedding
    with pytest.raises(
        InputError,
        match=r"MaskedMILModel: has no submodule 'pooled'; it has attention, myfc, net, transformer, embedding, method",
    ):
        named_submodule(network, "pooled")
    with pytest.raises(InputError, match="it has none"):
        named_submodule(OfOneBag(), "embedding")
