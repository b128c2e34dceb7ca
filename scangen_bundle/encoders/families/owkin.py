"""Phikon and Phikon-v2, of Owkin."""

from __future__ import annotations

from typing import Any

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.transformers_loading import make_transformers_encoder
from scangen_bundle.encoders.vit import transformers_vit

SHARED: dict[str, Any] = {"family": "Owkin", "precision": "float32", "licence": "Owkin non-commercial"}

register(
    transformers_vit(
        "phikon",
        768,
        12,
        12,
        16,
        hub_id="owkin/phikon",
        kwargs={"add_pooling_layer": False},
        ignored_keys=("pooler.",),  # whether a copy of the weights has one or not
        config={"model_type": "vit"},
        interpolation="bilinear",
        parameters=85.8,
        **SHARED,
    ),
    transformers_vit(
        "phikon-v2",
        1024,
        24,
        16,
        16,
        hub_id="owkin/phikon-v2",
        config={"model_type": "dinov2"},
        parameters=303.4,
        **SHARED,
    ),
)(make_transformers_encoder)
