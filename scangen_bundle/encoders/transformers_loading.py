"""Encoders that transformers builds from the configuration beside their weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scangen_bundle.encoders.base import Encoder, choose_pooling
from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.encoders.state_dict import load_state_dict, tell_keys
from scangen_bundle.encoders.weights import Found, find_weights, how_to_get
from scangen_bundle.errors import InputError

if TYPE_CHECKING:
    import torch


def load_transformers(spec: EncoderSpec, found: Found, trust_remote_code: bool) -> Any:
    """Load the model of a folder with `config.json` and weights; nothing is taken from the network.

    Raises:
        InputError: if the model is code that the user has not allowed, if it is not the registered architecture, or if
            weights are missing, too many, or do not fit.
    """
    import torch
    import transformers

    folder = found.path.parent
    if spec.trust_remote_code and not trust_remote_code:
        raise InputError(
            f"encoder {spec.name!r}",
            f"its model is Python code that lies beside the weights, in {folder}",
            "read that code, then allow it: --encoder#trust_remote_code True",
        )
    options = {"local_files_only": True, "trust_remote_code": spec.trust_remote_code}
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **options)
        check_config(spec, config, found.path)
        model, report = transformers.AutoModel.from_pretrained(
            folder,
            config=config,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told below, with the rest
            dtype=torch.float32,
            **options,
            **spec.kwargs,
        )
    except InputError:
        raise
    except Exception as error:  # code beside the weights can fail in any way
        for file in found.files:
            if file.suffix in (".safetensors", ".bin"):
                load_state_dict(file)  # it tells what is wrong with the file, if that is what is wrong
        problem = f"transformers {transformers.__version__} cannot load it: {error}"
        old = " The model's own code may need the transformers of its time" if spec.trust_remote_code else ""
        raise InputError(folder, problem, how_to_get(spec) + old) from error
    # transformers fills what is missing with random numbers, passes over what is too much, and only warns.
    faults = {
        "missing": sorted(report["missing_keys"]),
        "unknown": sorted(key for key in report["unexpected_keys"] if not key.startswith(spec.ignored_keys)),
        "of another shape": sorted(str(key) for key in report["mismatched_keys"]),
    }
    if told := tell_keys(faults):
        raise InputError(folder, f"not the weights of {spec.name}: {told}", how_to_get(spec))
    return model


def check_config(spec: EncoderSpec, config: Any, path: Path) -> None:
    """Refuse the configuration of another architecture: weights can fit it, or nearly, and their vectors look alike.

    Raises:
        InputError: naming each entry that differs.
    """
    told = [
        f"{name} is {getattr(config, name, None)}, expected {value}"
        for name, value in spec.config.items()
        if getattr(config, name, None) != value
    ]
    if spec.trust_remote_code and "AutoModel" not in (getattr(config, "auto_map", None) or {}):
        told.append("auto_map names no AutoModel, expected the model's own code")
    if told:
        raise InputError(path, f"not the configuration of {spec.name}: {'; '.join(told)}", how_to_get(spec))


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
    model = load_transformers(spec, found, trust_remote_code)
    features = pool_transformers(model, pooling)
    return TorchEncoder(spec, features, revision=found.revision, pooling=pooling, **options)
