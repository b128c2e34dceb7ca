"""Specs of vision transformers for pathology: what nearly all of them have in common is stated here, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scangen_bundle.encoders.spec import IMAGENET_MEAN, IMAGENET_STD, PATHOLOGY, EncoderSpec

COMMON: dict[str, Any] = {
    "domain": PATHOLOGY,
    "revision": "main",
    "tile_px": 224,
    "mpp": 0.5,
    "mean": IMAGENET_MEAN,
    "std": IMAGENET_STD,
    "precision": "float16",
    "gated": False,
}


def _poolings(dim: int, default: str) -> dict[str, int]:
    """D of the class token and of class token and mean, the default first."""
    poolings = {"cls": dim, "cls+mean": 2 * dim}
    return {default: poolings[default], **poolings}


def timm_vit(
    name: str, dim: int, *, pooling: str = "cls", kwargs: Mapping[str, Any] | None = None, **fields: Any
) -> EncoderSpec:
    """The spec of a vision transformer that timm builds, for `make_timm_encoder`.

    A field that is not given is that of `COMMON`: pathology, tiles of 224 px at 0.5 µm/px, ImageNet's mean and standard
    deviation, half precision on a GPU, an open repository.

    Args:
        name: of the encoder.
        dim: D of the class token.
        pooling: the default, `cls` or `cls+mean`.
        kwargs: how timm builds it, beyond `num_classes=0` and `dynamic_img_size=True`.
        fields: any field of `EncoderSpec`; `family`, `hub_id`, `architecture` and `licence` have to be given.
    """
    built_with = {"dynamic_img_size": True, "num_classes": 0, **(kwargs or {})}
    poolings = _poolings(dim, pooling)
    return EncoderSpec(
        name=name, library="timm", poolings=poolings, pooling=pooling, kwargs=built_with, **{**COMMON, **fields}
    )


def transformers_vit(
    name: str, dim: int, layers: int, heads: int, patch_px: int, *, pooling: str = "cls", **fields: Any
) -> EncoderSpec:
    """The spec of a vision transformer that transformers builds, for `make_transformers_encoder`.

    A field that is not given is that of `COMMON`. The configuration beside the weights has to state the architecture.

    Args:
        name: of the encoder.
        dim: D of the class token.
        layers: number of transformer blocks.
        heads: attention heads of a block.
        patch_px: side of a patch, px.
        pooling: the default: `cls`, `cls+mean`, or `pooler` for models that have a pooler of their own.
        fields: any field of `EncoderSpec`; `family`, `hub_id` and `licence` have to be given. `config` adds to what the
            configuration has to state.
    """
    poolings = {"pooler": dim} if pooling == "pooler" else {}
    poolings |= _poolings(dim, "cls" if pooling == "pooler" else pooling)
    sizes = {"hidden_size": dim, "num_hidden_layers": layers, "num_attention_heads": heads, "patch_size": patch_px}
    config = {**fields.pop("config", {}), **sizes}
    return EncoderSpec(
        name=name, library="transformers", poolings=poolings, pooling=pooling, config=config, **{**COMMON, **fields}
    )
