"""Encoders whose architecture timm knows: built from the spec alone, then filled with the weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scangen_bundle.encoders.base import Encoder, choose_pooling
from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.encoders.state_dict import fill, load_state_dict
from scangen_bundle.encoders.weights import find_weights

if TYPE_CHECKING:
    import torch


def build_timm(spec: EncoderSpec) -> torch.nn.Module:
    """The network without weights, on whatever device is torch's default.

    It is built from the spec, not from the hub's `config.json`, so that a run without a network builds the same one.
    """
    import timm
    import timm.layers

    kwargs = dict(spec.kwargs)
    if "mlp_layer" in kwargs:
        kwargs["mlp_layer"] = getattr(timm.layers, kwargs["mlp_layer"])
    return timm.create_model(spec.architecture, pretrained=False, **kwargs)


def pool_timm(network: torch.nn.Module, pooling: str) -> torch.nn.Module:
    """Wrap a timm network so that it gives one vector, [B, 3, h, w] -> [B, D]."""
    import torch

    from scangen_bundle.encoders.pooling import pool_tokens

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network: Any = network

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            if pooling == "gap":
                return self.network(pixels)[-1].mean((2, 3))
            return pool_tokens(self.network.forward_features(pixels), pooling, self.network.num_prefix_tokens)

    return Features()


def make_timm_encoder(
    spec: EncoderSpec,
    weights: str | Path | None = None,
    revision: str | None = None,
    pooling: str | None = None,
    **options: Any,
) -> Encoder:
    """Make an encoder of a timm network.

    Args:
        spec: the registered record.
        weights: a file or folder; None takes the Hugging Face cache.
        revision: a branch, tag or commit to take from the cache.
        pooling: one of the spec's.
        options: `device`, `precision`, `tile_px` and `mpp` of `TorchEncoder`.

    Raises:
        InputError: if the weights are not there or do not fit.
    """
    import torch

    from scangen_bundle.encoders.torch_encoder import TorchEncoder

    pooling = choose_pooling(spec, pooling)
    found = find_weights(spec, weights, revision)
    with torch.device("meta"):
        network = build_timm(spec)
    fill(network, load_state_dict(found.path), spec, found.path)
    features = pool_timm(network, pooling)
    return TorchEncoder(spec, features, revision=found.revision, pooling=pooling, **options)
