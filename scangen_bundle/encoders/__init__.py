"""Tile to vector: the registry of tile encoders, one file per family in `families/`.

Importing this room imports no deep-learning library: the specs are data, and the makers import what they need.
"""

from scangen_bundle.encoders.base import Encoder
from scangen_bundle.encoders.registry import ENCODERS, create_encoder, num_features, register
from scangen_bundle.encoders.spec import EncoderSpec

__all__ = ["ENCODERS", "Encoder", "EncoderSpec", "create_encoder", "num_features", "register"]
