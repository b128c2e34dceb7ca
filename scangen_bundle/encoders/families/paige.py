"""Virchow and Virchow2, of Paige."""

from __future__ import annotations

from typing import Any

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.timm_loading import make_timm_encoder
from scangen_bundle.encoders.vit import timm_vit

KWARGS: dict[str, Any] = {
    "img_size": 224,
    "init_values": 1e-5,
    "mlp_ratio": 5.3375,
    "mlp_layer": "SwiGLUPacked",
    "act_layer": "silu",
}
SHARED: dict[str, Any] = {
    "pooling": "cls+mean",
    "family": "Paige",
    "weights_file": "pytorch_model.bin",
    "architecture": "vit_huge_patch14_224",
    "gated": True,
    "parameters": 631.2,
}

register(
    timm_vit(
        "virchow",
        1280,
        hub_id="paige-ai/Virchow",
        kwargs=KWARGS,
        licence="Apache-2.0",
        note="Some tools call the class token alone (1,280) by the same name.",
        **SHARED,
    ),
    timm_vit(
        "virchow2",
        1280,
        hub_id="paige-ai/Virchow2",
        kwargs={**KWARGS, "reg_tokens": 4},
        licence="CC-BY-NC-ND-4.0",
        note="Trained at 0.25 to 2 µm/px. Models trained on its outputs fall under its terms.",
        **SHARED,
    ),
)(make_timm_encoder)
