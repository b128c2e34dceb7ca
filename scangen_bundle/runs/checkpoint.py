"""Checkpoint files: written whole or not at all, read without running code from them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from scangen_bundle.data import ScannerMoments
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.networks import unwrap


def save_checkpoint(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write `content` whole or not at all. It must hold only tensors and plain values, as `read_checkpoint` loads no code."""
    with write_atomically(path) as temporary:
        torch.save(content, temporary)


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Raises:
        InputError: the file is missing, cut short, or no checkpoint of this bundle.
    """
    if not Path(path).is_file():
        raise InputError(path, "no such checkpoint", "train first (`run training`), or name one with --checkpoint PATH")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        problem = f"cannot be read as a checkpoint ({type(error).__name__})"
        raise InputError(path, problem, "train again or copy it again") from error
    if not isinstance(content, dict) or "network" not in content:
        raise InputError(path, "holds no 'network' entry", "give a checkpoint that `run training` wrote")
    return content


def load_weights(
    network: torch.nn.Module,
    path: str | os.PathLike[str],
    expected: Mapping[str, Any] | None = None,
    moments: ScannerMoments | None = None,
) -> dict:
    """Load a checkpoint's weights into `network` and give the checkpoint's description (`meta`).

    Args:
        network: the module to fill.
        path: a checkpoint that this bundle wrote.
        expected: entries of the description that must be equal, for example the encoder and the class names; of an entry
            that is a mapping, what both sides know.
        moments: filled as well, with those that the network's features were standardised by, if they were.

    Raises:
        InputError: another architecture, encoder, resolution or class list, or standardised features without `moments`.
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
    shapes = {name: tuple(value.shape) for name, value in target.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in content["network"].items()}
    if shapes != found:
        different = sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))
        first = different[0]
        raise InputError(
            path,
            f"is of another architecture: {len(different)} entries differ, first {first}: "
            f"expected {shapes.get(first, 'none')}, found {found.get(first, 'none')}",
            "set network_def as in the run that made the checkpoint",
        )
    standardised = content.get("moments", {})
    if moments is not None:
        moments.load_state_dict(standardised)
    elif standardised:
        problem = "was trained on features standardised by scanner, this configuration does not standardise them"
        raise InputError(
            path, problem, "give WeightsLoader and BagDataset their `moments`, as configs/inference.yaml does"
        )
    target.load_state_dict(content["network"])
    return meta


def _flat(description: Mapping[str, Any]) -> dict[str, Any]:
    """Entries by name, those of a mapping as `name.entry`."""
    flat: dict[str, Any] = {}
    for name, value in description.items():
        flat.update(
            {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, Mapping) else {name: value}
        )
    return flat
