"""Encoders that transformers builds from the configuration beside their weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scangen_bundle.encoders.base import Encoder, choose_pooling
from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.encoders.weights import find_weights, how_to_get
from scangen_bundle.errors import InputError

if TYPE_CHECKING:
    import torch


def load_transformers(spec: EncoderSpec, folder: Path, trust_remote_code: bool) -> Any:
    """Load the model of a folder with `config.json` and weights; nothing is taken from the network.

    Raises:
        InputError: if the model is code that the user has not allowed, or if weights are missing or do not fit.
    """
    import torch
    import transformers

    if spec.trust_remote_code and not trust_remote_code:
        raise InputError(
            f"encoder {spec.name!r}",
            f"its model is Python code that lies beside the weights, in {folder}",
            "read that code, then allow it with the option trust_remote_code: true",
        )
    try:
        model, report = transformers.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=spec.trust_remote_code,
            output_loading_info=True,
            dtype=torch.float32,
            **spec.kwargs,
        )
    except Exception as error:  # code beside the weights can fail in any way
        problem = f"transformers {transformers.__version__} cannot load it: {error}"
        old = " The model's own code may need the transformers of its time" if spec.trust_remote_code else ""
        raise InputError(folder, problem, how_to_get(spec) + old) from error
    # transformers fills what is missing with random numbers and only warns.
    missing = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if missing:
        problem = (
            f"not the weights of {spec.name}: {len(missing)} missing or of another shape ({', '.join(missing[:3])})"
        )
        raise InputError(folder, problem, how_to_get(spec))
    return model


def pool_transformers(model: Any, pooling: str) -> torch.nn.Module:
    """Wrap a transformers model so that it gives one vector, [B, 3, h, w] -> [B, D]."""
    import torch

    from scangen_bundle.encoders.pooling import pool_tokens

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network: Any = model

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            output = self.network(pixel_values=pixels)
            if pooling == "pooler":
                return output.pooler_output
            registers = getattr(self.network.config, "num_register_tokens", 0)
            return pool_tokens(output.last_hidden_state, pooling, 1 + registers)

    return Features()


def make_transformers_encoder(
    spec: EncoderSpec,
    weights: str | Path | None = None,
    revision: str | None = None,
    pooling: str | None = None,
    trust_remote_code: bool = False,
    **options: Any,
) -> Encoder:
    """Make an encoder of a transformers model.

    Args:
        spec: the registered record.
        weights: a folder with `config.json` and the weights (or a file in it); None takes the Hugging Face cache.
        revision: a branch, tag or commit to take from the cache.
        pooling: one of the spec's.
        trust_remote_code: allow the Python code beside the weights to run, for the models that need it.
        options: `device`, `precision`, `tile_px` and `mpp` of `TorchEncoder`.

    Raises:
        InputError: if the weights are not there, do not fit, or need code that is not allowed.
    """
    from scangen_bundle.encoders.torch_encoder import TorchEncoder

    pooling = choose_pooling(spec, pooling)
    found = find_weights(spec, weights, revision)
    model = load_transformers(spec, found.path.parent, trust_remote_code)
    features = pool_transformers(model, pooling)
    return TorchEncoder(spec, features, revision=found.revision, pooling=pooling, **options)
