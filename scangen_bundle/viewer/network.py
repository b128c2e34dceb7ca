"""The network of a run, asked for its attention and for what it says of each tile alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from scangen_bundle.data import ScannerMoments
from scangen_bundle.errors import InputError
from scangen_bundle.networks import MaskedMILModel, named_submodule
from scangen_bundle.runs.checkpoint import read_checkpoint

TILES_AT_A_TIME = 4096


def load_network(checkpoint: Path) -> Callable[[np.ndarray, str], tuple[np.ndarray, np.ndarray]]:
    """A function of features [N, D] and the scanner's name to attention [N] and the tiles' own probabilities [N, C].

    A tile's own probability is the network's answer to a bag of that tile alone.

    Raises:
        InputError: the checkpoint is damaged or of another architecture.
    """
    content = read_checkpoint(checkpoint)
    meta = content.get("meta", {})
    network = MaskedMILModel(len(meta["class_names"]), int(meta["num_features"]))
    try:
        network.load_state_dict(content["network"])
    except RuntimeError as error:
        problem = "the network is of another architecture than the bundle's own"
        raise InputError(checkpoint, problem, "run inferring, whose attention maps are shown") from error
    network.eval()
    moments = ScannerMoments()
    moments.load_state_dict(content.get("moments", {}))
    kept: list[torch.Tensor] = []
    named_submodule(network, "attention").register_forward_hook(lambda module, inputs, output: kept.append(output))

    def explain(features: np.ndarray, scanner: str) -> tuple[np.ndarray, np.ndarray]:
        tiles = torch.from_numpy(features.copy())  # a bag's rows may be mapped from its file, and read-only
        if moments:
            tiles = moments(tiles, scanner)
        with torch.no_grad():
            network(tiles[None])
            attention = kept[-1][0].numpy().astype(np.float64)
            logits = torch.cat([network(chunk[:, None]) for chunk in tiles.split(TILES_AT_A_TIME)])
        kept.clear()
        return attention, logits.softmax(dim=1).numpy().astype(np.float64)

    return explain
