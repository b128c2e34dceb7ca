"""GPFM, the Generalizable Pathology Foundation Model."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.timm_loading import make_timm_encoder
from scangen_bundle.encoders.vit import timm_vit

register(
    timm_vit(
        "gpfm",
        1024,
        family="HKUST",
        hub_id="majiabo/GPFM",
        weights_file="GPFM.pth",
        architecture="vit_large_patch14_dinov2",
        kwargs={"img_size": 224, "init_values": 1e-5},
        ignored_keys=("mask_token",),
        precision="float32",
        licence="MIT or CC-BY-NC-ND-4.0 (sources differ): check the card",
        parameters=303,
    )
)(make_timm_encoder)
