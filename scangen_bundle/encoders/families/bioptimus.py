"""H-optimus-0, H-optimus-1 and H0-mini, of Bioptimus."""

from __future__ import annotations

from typing import Any

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.timm_loading import make_timm_encoder
from scangen_bundle.encoders.vit import timm_vit

SHARED: dict[str, Any] = {
    "family": "Bioptimus",
    "mean": (0.707223, 0.578729, 0.703617),
    "std": (0.211883, 0.230117, 0.177517),
    "gated": True,
}
GIANT: dict[str, Any] = {
    "architecture": "vit_giant_patch14_reg4_dinov2",
    "kwargs": {"img_size": 224, "init_values": 1e-5, "dynamic_img_size": False},
    "parameters": 1130,
}

register(
    timm_vit(
        "h-optimus-0",
        1536,
        hub_id="bioptimus/H-optimus-0",
        weights_file="pytorch_model.bin",
        licence="Apache-2.0",
        note="Access is granted at once when its terms are accepted.",
        **SHARED,
        **GIANT,
    ),
    timm_vit(
        "h-optimus-1",
        1536,
        hub_id="bioptimus/H-optimus-1",
        licence="CC-BY-NC-ND-4.0",
        note="Access is granted by hand and may take long.",
        **SHARED,
        **GIANT,
    ),
    timm_vit(
        "h0-mini",
        768,
        hub_id="bioptimus/H0-mini",
        architecture="vit_base_patch14_reg4_dinov2",
        kwargs={
            "img_size": 224,
            "init_values": 1e-5,
            "mlp_ratio": 5.33334,
            "mlp_layer": "SwiGLUPacked",
            "act_layer": "silu",
            "dynamic_img_size": False,
        },
        licence="CC-BY-NC-ND-4.0",
        parameters=85.7,
        note="Some tools take cls+mean (1,536) by default, others cls (768).",
        **SHARED,
    ),
)(make_timm_encoder)
