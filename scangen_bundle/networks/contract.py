"""What the engines and handlers need of a network, said before it is trained."""

from __future__ import annotations

import inspect

from torch import nn

from scangen_bundle.errors import InputError


def check_takes_mask(network: nn.Module) -> None:
    """Refuse a network that cannot be called as `network(image, mask=mask, scanner=scanner)`.

    Bags of a batch are padded to one length; without the mask a network would learn from the padding.

    Raises:
        InputError: it names the network's class and what its `forward` takes.
    """
    try:
        takes = inspect.signature(network.forward)
    except ValueError:  # of TorchScript made by tracing nothing is known
        return
    try:
        takes.bind("image", mask="mask", scanner="scanner")
    except TypeError as error:
        raise InputError(
            f"network {type(network).__name__}",
            f"its forward{takes} cannot be called with a batch of bags ({error})",
            "give it a forward(image [B, N, D], mask [B, N], True for real tiles, scanner [B] int64) -> logits [B, C], as "
            "scangen_bundle.networks.MaskedMILModel has",
        ) from error


def unwrap(network: nn.Module) -> nn.Module:
    """The plain module inside torch.compile and DistributedDataParallel."""
    network = getattr(network, "_orig_mod", network)
    return network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network


def named_submodule(network: nn.Module, name: str) -> nn.Module:
    """The submodule whose output a handler reads by a forward hook.

    Raises:
        InputError: there is none of this name; it names those that there are.
    """
    try:
        return network.get_submodule(name)
    except AttributeError as error:
        there = ", ".join(child for child, _ in network.named_children())
        raise InputError(
            f"network {type(network).__name__}",
            f"has no submodule {name!r}; it has {there or 'none'}",
            "name the one that is meant in the handler that reads it, or use scangen_bundle.networks.MaskedMILModel",
        ) from error
