"""UNI and UNI2-h, of the Mahmood Lab. Terms: their gate counts models trained on their outputs as derivatives."""

from __future__ import annotations

from typing import Any

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.timm_loading import make_timm_encoder
from scangen_bundle.encoders.vit import timm_vit

SHARED: dict[str, Any] = {
    "family": "Mahmood Lab",
    "weights_file": "pytorch_model.bin",
    "interpolation": "bilinear",
    "licence": "CC-BY-NC-ND-4.0",
    "gated": True,
    "note": "Models trained on its outputs fall under its terms.",
}

register(
    timm_vit(
        "uni",
        1024,
        hub_id="MahmoodLab/UNI",
        architecture="vit_large_patch16_224",
        kwargs={"init_values": 1e-5},
        tile_px=256,
        resize_px=224,
        parameters=303.4,
        **SHARED,
    ),
    timm_vit(
        "uni2-h",
        1536,
        hub_id="MahmoodLab/UNI2-h",
        architecture="vit_giant_patch14_224",
        kwargs={
            "img_size": 224,
            "patch_size": 14,
            "depth": 24,
            "num_heads": 24,
            "embed_dim": 1536,
            "mlp_ratio": 5.33334,
            "mlp_layer": "SwiGLUPacked",
            "act_layer": "silu",
            "init_values": 1e-5,
            "no_embed_class": True,
            "reg_tokens": 8,
        },
        parameters=681.4,
        **SHARED,
    ),
)(make_timm_encoder)
