"""Kaiko's vision transformers (towards large pathology foundation models) and Midnight-12k."""

from __future__ import annotations

from typing import Any

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import HALF_MEAN, HALF_STD, EncoderSpec
from scangen_bundle.encoders.timm_loading import make_timm_encoder
from scangen_bundle.encoders.transformers_loading import make_transformers_encoder
from scangen_bundle.encoders.vit import timm_vit, transformers_vit

SHARED: dict[str, Any] = {"family": "Kaiko", "mean": HALF_MEAN, "std": HALF_STD, "interpolation": "bilinear"}


def _kaiko(name: str, architecture: str, dim: int, parameters: float, img_size: int = 224) -> EncoderSpec:
    return timm_vit(
        name,
        dim,
        hub_id=f"1aurent/{architecture}.kaiko_ai_towards_large_pathology_fms",
        architecture=architecture,
        kwargs={"img_size": img_size},
        precision="float32",
        licence="open weights, kaiko.ai's terms: check for non-commercial use",
        parameters=parameters,
        **SHARED,
    )


register(
    _kaiko("kaiko-vits16", "vit_small_patch16_224", 384, 21.7),
    _kaiko("kaiko-vits8", "vit_small_patch8_224", 384, 21.7),
    _kaiko("kaiko-vitb16", "vit_base_patch16_224", 768, 86),
    _kaiko("kaiko-vitb8", "vit_base_patch8_224", 768, 86),
    # Its position embedding is for 518 px, and is interpolated to the 224 px of the tiles.
    _kaiko("kaiko-vitl14", "vit_large_patch14_reg4_dinov2", 1024, 304, img_size=518),
)(make_timm_encoder)

register(
    transformers_vit(
        "midnight-12k",
        1536,
        40,
        24,
        14,
        pooling="cls+mean",
        hub_id="kaiko-ai/midnight",
        config={"model_type": "dinov2"},
        licence="MIT",
        parameters=1140,
        note="Trained at 0.25 to 2 µm/px. Some tools call the class token alone (1,536) by the same name.",
        **SHARED,
    )
)(make_transformers_encoder)
