"""Lunit's DINO vision transformer."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.timm_loading import make_timm_encoder
from scangen_bundle.encoders.vit import timm_vit

register(
    timm_vit(
        "lunit-vits8",
        384,
        family="Lunit",
        hub_id="1aurent/vit_small_patch8_224.lunit_dino",
        architecture="vit_small_patch8_224",
        # https://github.com/lunit-io/benchmark-ssl-pathology
        mean=(0.70322989, 0.53606487, 0.66096631),
        std=(0.21716536, 0.26081574, 0.20723464),
        precision="float32",
        licence="non-commercial, Lunit's terms",
        parameters=21.7,
    )
)(make_timm_encoder)
