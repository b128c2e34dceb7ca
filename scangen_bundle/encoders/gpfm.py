"""GPFM, the Generalizable Pathology Foundation Model."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import IMAGENET_MEAN, IMAGENET_STD, PATHOLOGY, EncoderSpec
from scangen_bundle.encoders.timm_loading import make_timm_encoder

register(
    EncoderSpec(
        name="gpfm",
        family="HKUST",
        domain=PATHOLOGY,
        library="timm",
        hub_id="majiabo/GPFM",
        revision="main",
        weights_file="GPFM.pth",
        architecture="vit_large_patch14_dinov2",
        kwargs={"img_size": 224, "init_values": 1e-5, "dynamic_img_size": True, "num_classes": 0},
        ignored_keys=("mask_token",),
        poolings={"cls": 1024, "cls+mean": 2048},
        pooling="cls",
        tile_px=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        mpp=0.5,
        precision="float32",
        licence="MIT or CC-BY-NC-ND-4.0 (sources differ): check the card",
        gated=False,
        parameters=303,
    )
)(make_timm_encoder)
