"""The network as one TorchScript file that gives probabilities, attention and embedding, and says what it is."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from scangen_bundle.errors import InputError
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.tasks import Classification, Task
from scangen_bundle.weights_file import check_finite_weights, check_undamaged

DESCRIPTION = "slide_classifier"  # the key of our own part of the embedded metadata


class SlideClassifier(nn.Module):
    """A trained network with its task's activation, for export.

    `forward` gives probabilities as the bundle's metadata say; `explain` also what a user wants to see. The scanners' keys
    are those of `methods.scanner_key`, for a network whose method needs them.

    Args:
        network: trained.
        task: what it predicts; None: classification.
    """

    def __init__(self, network: MaskedMILModel, task: Task | None = None) -> None:
        super().__init__()
        self.network = network
        self.task = Classification() if task is None else task
        self.by_score = network.mil_mode == "max"

    def forward(
        self, image: torch.Tensor, mask: torch.Tensor | None = None, scanner: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Probabilities [B, C] float32 of bags [B, N, D]; `mask` [B, N] bool is True for real tiles; `scanner` [B] int64."""
        return self.explain(image, mask, scanner)[0]

    @torch.jit.export
    def knows(self, scanner: torch.Tensor) -> torch.Tensor:
        """Whether bags of these scanners [B] can be predicted, bool [B]."""
        return self.network.method.knows(scanner)

    @torch.jit.export
    def explain(
        self, image: torch.Tensor, mask: torch.Tensor | None = None, scanner: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Probabilities [B, C], attention [B, N] and slide embedding [B, E] of bags [B, N, D]."""
        if mask is None:
            mask = torch.ones_like(image[:, :, 0], dtype=torch.bool)
        network = self.network
        projected = network(image, mask, scanner, True)
        tiles = network.transformer(projected, mask)
        attention = network.attention(network.myfc(tiles) if self.by_score else tiles, mask)
        embedding = network.embedding(tiles, attention)
        logits = network.calc_head(projected, mask) if self.by_score else network.myfc(embedding)
        return self.task.activation(logits).float(), attention, embedding


def export_torchscript(
    network: MaskedMILModel,
    metadata: Mapping[str, Any],
    extra_files: Mapping[str, bytes] | None = None,
    task: Task | None = None,
) -> bytes:
    """Content of a `.ts`: the network with embedded metadata (MONAI's `load_net_with_metadata` reads them back).

    Args:
        network: trained.
        metadata: JSON-able; `timestamp` must be in it, or the bytes would depend on the clock.
        extra_files: further files inside.
        task: what it predicts; None: classification.
    """
    from monai.data import save_net_with_metadata

    scripted = torch.jit.script(SlideClassifier(network.cpu().eval(), task))
    buffer = io.BytesIO()  # saved to a path, the file's name would become part of its bytes
    save_net_with_metadata(
        scripted,
        buffer,
        include_config_vals=False,
        meta_values=dict(metadata),
        more_extra_files=dict(extra_files or {}),
    )
    return _without_debug_records(buffer.getvalue())


def _without_debug_records(content: bytes) -> bytes:
    """A TorchScript archive without the records that say in which folders of this machine its source lay."""
    reader = torch._C.PyTorchFileReader(io.BytesIO(content))
    buffer = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(buffer)
    for name in reader.get_all_records():
        # The writer writes these two itself.
        if not name.endswith(".debug_pkl") and name not in ("version", ".data/serialization_id"):
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return buffer.getvalue()


def load_exported(path: str | os.PathLike[str]) -> tuple[torch.jit.ScriptModule, dict[str, Any], dict[str, bytes]]:
    """Network, metadata and extra files of an exported network, on the CPU.

    Raises:
        InputError: missing, damaged, or without the metadata that say what its input and classes are.
    """
    from monai.data import load_net_with_metadata

    remedy = "take the .ts that scangen pack wrote"
    if not os.path.isfile(path):
        raise InputError(path, "there is no such model file", remedy)
    check_undamaged(path)
    extra = ("site_reference.json",)
    try:
        network, metadata, files = load_net_with_metadata(os.fspath(path), map_location="cpu", more_extra_files=extra)
    except json.JSONDecodeError:
        metadata = {}
    except Exception as error:  # torch raises many kinds for a damaged file
        raise InputError(path, f"cannot be read as TorchScript ({type(error).__name__})", remedy) from error
    if DESCRIPTION not in metadata:
        raise InputError(path, "has no metadata: encoder, classes and scanners of the training are not known", remedy)
    check_finite_weights(path, network.state_dict())
    return network.eval(), metadata, files
