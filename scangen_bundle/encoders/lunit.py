"""Lunit's DINO vision transformer."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import PATHOLOGY, EncoderSpec
from scangen_bundle.encoders.timm_loading import make_timm_encoder

register(
    EncoderSpec(
        name="lunit-vits8",
        family="Lunit",
        domain=PATHOLOGY,
        library="timm",
        hub_id="1aurent/vit_small_patch8_224.lunit_dino",
        revision="main",
        architecture="vit_small_patch8_224",
        kwargs={"dynamic_img_size": True, "num_classes": 0},
        poolings={"cls": 384, "cls+mean": 768},
        pooling="cls",
        tile_px=224,
        # https://github.com/lunit-io/benchmark-ssl-pathology
        mean=(0.70322989, 0.53606487, 0.66096631),
        std=(0.21716536, 0.26081574, 0.20723464),
        mpp=0.5,
        precision="float32",
        licence="non-commercial, Lunit's terms",
        gated=False,
        parameters=21.7,
    )
)(make_timm_encoder)
