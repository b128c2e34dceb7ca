"""Hibou-B and Hibou-L, of HistAI: models that are Python code beside their weights."""

from __future__ import annotations

from typing import Any

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.transformers_loading import make_transformers_encoder
from scangen_bundle.encoders.vit import transformers_vit

SHARED: dict[str, Any] = {
    "pooling": "pooler",
    "family": "HistAI",
    "mean": (0.7068, 0.5755, 0.7220),
    "std": (0.1950, 0.2316, 0.1816),
    "licence": "Apache-2.0",
    "trust_remote_code": True,
}

register(
    transformers_vit("hibou-b", 768, 12, 12, 14, hub_id="histai/hibou-b", parameters=85.7, **SHARED),
    transformers_vit("hibou-l", 1024, 24, 16, 14, hub_id="histai/hibou-L", gated=True, parameters=303.7, **SHARED),
)(make_transformers_encoder)
