"""Kaiko's vision transformers (towards large pathology foundation models) and Midnight-12k."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import HALF_MEAN, HALF_STD, PATHOLOGY, EncoderSpec
from scangen_bundle.encoders.timm_loading import make_timm_encoder
from scangen_bundle.encoders.transformers_loading import make_transformers_encoder


def _kaiko(name: str, architecture: str, dim: int, parameters: float, img_size: int = 224) -> EncoderSpec:
    return EncoderSpec(
        name=name,
        family="Kaiko",
        domain=PATHOLOGY,
        library="timm",
        hub_id=f"1aurent/{architecture}.kaiko_ai_towards_large_pathology_fms",
        revision="main",
        architecture=architecture,
        kwargs={"img_size": img_size, "dynamic_img_size": True, "num_classes": 0},
        poolings={"cls": dim, "cls+mean": 2 * dim},
        pooling="cls",
        tile_px=224,
        mean=HALF_MEAN,
        std=HALF_STD,
        interpolation="bilinear",
        mpp=0.5,
        precision="float32",
        licence="open weights, kaiko.ai's terms: check for non-commercial use",
        gated=False,
        parameters=parameters,
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
    EncoderSpec(
        name="midnight-12k",
        family="Kaiko",
        domain=PATHOLOGY,
        library="transformers",
        hub_id="kaiko-ai/midnight",
        revision="main",
        config={
            "model_type": "dinov2",
            "hidden_size": 1536,
            "num_hidden_layers": 40,
            "num_attention_heads": 24,
            "patch_size": 14,
        },
        poolings={"cls+mean": 3072, "cls": 1536},
        pooling="cls+mean",
        tile_px=224,
        mean=HALF_MEAN,
        std=HALF_STD,
        interpolation="bilinear",
        mpp=0.5,
        precision="float16",
        licence="MIT",
        gated=False,
        parameters=1140,
        note="Trained at 0.25 to 2 µm/px. Some tools call the class token alone (1,536) by the same name.",
    )
)(make_transformers_encoder)
