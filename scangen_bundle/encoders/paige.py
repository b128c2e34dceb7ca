"""Virchow and Virchow2, of Paige."""

from __future__ import annotations

from typing import Any

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import IMAGENET_MEAN, IMAGENET_STD, PATHOLOGY, EncoderSpec
from scangen_bundle.encoders.timm_loading import make_timm_encoder

KWARGS: dict[str, Any] = {
    "img_size": 224,
    "init_values": 1e-5,
    "mlp_ratio": 5.3375,
    "mlp_layer": "SwiGLUPacked",
    "act_layer": "silu",
    "dynamic_img_size": True,
    "num_classes": 0,
}

register(
    EncoderSpec(
        name="virchow",
        family="Paige",
        domain=PATHOLOGY,
        library="timm",
        hub_id="paige-ai/Virchow",
        revision="main",
        weights_file="pytorch_model.bin",
        architecture="vit_huge_patch14_224",
        kwargs=KWARGS,
        poolings={"cls+mean": 2560, "cls": 1280},
        pooling="cls+mean",
        tile_px=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        mpp=0.5,
        precision="float16",
        licence="Apache-2.0",
        gated=True,
        parameters=631.2,
        note="Some tools call the class token alone (1,280) by the same name.",
    ),
    EncoderSpec(
        name="virchow2",
        family="Paige",
        domain=PATHOLOGY,
        library="timm",
        hub_id="paige-ai/Virchow2",
        revision="main",
        weights_file="pytorch_model.bin",
        architecture="vit_huge_patch14_224",
        kwargs={**KWARGS, "reg_tokens": 4},
        poolings={"cls+mean": 2560, "cls": 1280},
        pooling="cls+mean",
        tile_px=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        mpp=0.5,
        precision="float16",
        licence="CC-BY-NC-ND-4.0",
        gated=True,
        parameters=631.2,
        note="Trained at 0.25 to 2 µm/px. Models trained on its outputs fall under its terms.",
    ),
)(make_timm_encoder)
