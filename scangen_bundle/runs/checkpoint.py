"""Checkpoint files: written whole or not at all, read without running code from them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.methods import Method, Plain, create_method
from scangen_bundle.networks import MaskedMILModel, unwrap
from scangen_bundle.weights_file import check_finite_weights, check_undamaged


def save_checkpoint(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write `content` whole or not at all. It must hold only tensors and plain values, as `read_checkpoint` loads no code."""
    with write_atomically(path) as temporary:
        torch.save(content, temporary)


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Raises:
        InputError: the file is missing, damaged, or no checkpoint of this bundle, or its weights are not finite.
    """
    if not Path(path).is_file():
        raise InputError(path, "no such checkpoint", "train first (`run training`), or name one with --checkpoint PATH")
    check_undamaged(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        problem = f"cannot be read as a checkpoint ({type(error).__name__})"
        raise InputError(path, problem, "train again or copy it again") from error
    if not isinstance(content, dict) or not isinstance(content.get("network"), dict):
        raise InputError(path, "holds no 'network' entry", "give a checkpoint that `run training` wrote")
    check_finite_weights(path, content["network"])
    return content


def load_weights(
    network: torch.nn.Module,
    path: str | os.PathLike[str],
    expected: Mapping[str, Any] | None = None,
) -> dict:
    """Load a checkpoint's weights into `network` and give the checkpoint's description (`meta`).

    A `MaskedMILModel` takes over the method that the checkpoint was trained with.

    Args:
        network: the module to fill.
        path: a checkpoint that this bundle wrote.
        expected: entries of the description that must be equal, for example the encoder and the class names; of an entry
            that is a mapping, what both sides know.

    Raises:
        InputError: another architecture, encoder, resolution or class list, or a checkpoint of an older version.
    """
    content = read_checkpoint(path)
    meta = dict(content.get("meta", {}))
    ours, theirs = _flat(expected or {}), _flat(meta)
    for name in sorted(ours.keys() & theirs.keys()):
        if ours[name] != theirs[name]:
            raise InputError(
                path,
                f"was trained with {name} {theirs[name]!r}, this run has {ours[name]!r}",
                "use the matching features or checkpoint",
            )
    target = unwrap(network)
    if content.get("moments"):
        problem = "was trained with --standardise True of an older version, which kept the moments outside the network"
        raise InputError(path, problem, "train again with --method standardise+scangen")
    weights = dict(content["network"])
    if isinstance(target, MaskedMILModel) and _take_method(target, meta) is None:
        weights = {name: value for name, value in weights.items() if not name.startswith("method.")}
    _check_shapes(target, weights, path)
    target.load_state_dict(weights)
    return meta


def _take_method(network: MaskedMILModel, meta: Mapping[str, Any]) -> Method | None:
    """Give the network the method that the checkpoint was trained with, whose state is a part of the weights.

    Where that method only had terms of the loss, it is not needed any more, and None is given.
    """
    name = meta.get("method", network.method.name)
    if network.method.name != name:
        is_needed = meta.get("method_transforms", True)
        method = create_method(name, meta.get("method_options")) if is_needed else Plain()
        network.set_method(method)
        network.to(network.myfc.weight.device)
        return method if is_needed else None
    return network.method


def _check_shapes(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], path: str | os.PathLike[str]) -> None:
    """Refuse weights of another architecture; what a method fitted may have any shape."""
    method = getattr(network, "method", None)
    fitted = {f"method.{name}" for name, _ in method.named_buffers()} if isinstance(method, Method) else set()
    ours = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    theirs = {name: tuple(value.shape) for name, value in weights.items()}
    ours.update({name: theirs[name] for name in fitted & theirs.keys()})
    different = [name for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]
    if different:
        first = different[0]
        raise InputError(
            path,
            f"is of another architecture: {len(different)} entries differ, first {first}: "
            f"expected {ours.get(first, 'none')}, found {theirs.get(first, 'none')}",
            "set network_def as in the run that made the checkpoint",
        )


def _flat(description: Mapping[str, Any]) -> dict[str, Any]:
    """Entries by name, those of a mapping as `name.entry`."""
    flat: dict[str, Any] = {}
    for name, value in description.items():
        flat.update(
            {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, Mapping) else {name: value}
        )
    return flat
