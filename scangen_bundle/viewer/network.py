"""The network of a run, asked for its attention and for what it says of each tile alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from scangen_bundle.errors import InputError
from scangen_bundle.methods import scanner_keys
from scangen_bundle.networks import MaskedMILModel, named_submodule
from scangen_bundle.runs.checkpoint import load_weights, read_checkpoint
from scangen_bundle.tasks import Classification

TILES_AT_A_TIME = 4096


def load_network(checkpoint: Path) -> Callable[[np.ndarray, str], tuple[np.ndarray, np.ndarray]]:
    """A function of features [N, D] and the scanner's name to attention [N] and the tiles' own probabilities [N, C].

    A tile's own probability is the network's answer to a bag of that tile alone.

    Raises:
        InputError: the checkpoint is damaged or of another architecture; from the function: the network's method does not
            know the scanner.
    """
    meta = read_checkpoint(checkpoint).get("meta", {})
    network = MaskedMILModel(len(meta["class_names"]), int(meta["num_features"]))
    load_weights(network, checkpoint)
    network.eval()
    activation = Classification().activation
    kept: list[torch.Tensor] = []
    named_submodule(network, "attention").register_forward_hook(lambda module, inputs, output: kept.append(output))

    def explain(features: np.ndarray, scanner: str) -> tuple[np.ndarray, np.ndarray]:
        tiles = torch.from_numpy(features.copy())  # a bag's rows may be mapped from its file, and read-only
        key = scanner_keys([scanner])
        if not bool(network.method.knows(key).all()):
            problem = f"the network's method {network.method.name} was not fitted to it"
            raise InputError(f"scanner {scanner}", problem, "train with scans of it")
        with torch.no_grad():
            network(tiles[None], None, key)
            attention = kept[-1][0].numpy().astype(np.float64)
            chunks = tiles[:, None].split(TILES_AT_A_TIME)
            logits = torch.cat([network(chunk, None, key.expand(len(chunk))) for chunk in chunks])
        kept.clear()
        return attention, activation(logits).numpy()

    return explain
