"""Phikon and Phikon-v2, of Owkin."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import IMAGENET_MEAN, IMAGENET_STD, PATHOLOGY, EncoderSpec
from scangen_bundle.encoders.transformers_loading import make_transformers_encoder

register(
    EncoderSpec(
        name="phikon",
        family="Owkin",
        domain=PATHOLOGY,
        library="transformers",
        hub_id="owkin/phikon",
        revision="main",
        kwargs={"add_pooling_layer": False},
        poolings={"cls": 768, "cls+mean": 1536},
        pooling="cls",
        tile_px=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        interpolation="bilinear",
        mpp=0.5,
        precision="float32",
        licence="Owkin non-commercial",
        gated=False,
        parameters=85.8,
    ),
    EncoderSpec(
        name="phikon-v2",
        family="Owkin",
        domain=PATHOLOGY,
        library="transformers",
        hub_id="owkin/phikon-v2",
        revision="main",
        poolings={"cls": 1024, "cls+mean": 2048},
        pooling="cls",
        tile_px=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        mpp=0.5,
        precision="float32",
        licence="Owkin non-commercial",
        gated=False,
        parameters=303.4,
    ),
)(make_transformers_encoder)
