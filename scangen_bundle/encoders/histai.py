"""Hibou-B and Hibou-L, of HistAI: models that are Python code beside their weights."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import PATHOLOGY, EncoderSpec
from scangen_bundle.encoders.transformers_loading import make_transformers_encoder


def _hibou(name: str, hub_id: str, dim: int, layers: int, gated: bool, parameters: float) -> EncoderSpec:
    return EncoderSpec(
        name=name,
        family="HistAI",
        domain=PATHOLOGY,
        library="transformers",
        hub_id=hub_id,
        revision="main",
        config={"hidden_size": dim, "num_hidden_layers": layers, "num_attention_heads": dim // 64, "patch_size": 14},
        poolings={"pooler": dim, "cls": dim, "cls+mean": 2 * dim},
        pooling="pooler",
        tile_px=224,
        mean=(0.7068, 0.5755, 0.7220),
        std=(0.1950, 0.2316, 0.1816),
        mpp=0.5,
        precision="float16",
        licence="Apache-2.0",
        gated=gated,
        trust_remote_code=True,
        parameters=parameters,
    )


register(
    _hibou("hibou-b", "histai/hibou-b", 768, 12, gated=False, parameters=85.7),
    _hibou("hibou-l", "histai/hibou-L", 1024, 24, gated=True, parameters=303.7),
)(make_transformers_encoder)
