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
        ignored_keys=("pooler.",),  # whether a copy of the weights has one or not
        config={
            "model_type": "vit",
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "patch_size": 16,
        },
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
        config={
            "model_type": "dinov2",
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "patch_size": 16,
        },
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
