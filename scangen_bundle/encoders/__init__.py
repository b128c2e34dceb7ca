"""Tile to vector: the registry of tile encoders, one file per family.

Importing this room imports no deep-learning library: the specs are data, and the makers import what they need.
"""

from scangen_bundle.encoders.base import Encoder
from scangen_bundle.encoders.registry import ENCODERS, create_encoder, find_encoder, register
from scangen_bundle.encoders.spec import EncoderSpec

# Each family enters itself, in the order of the tables.
from . import (  # noqa: F401  isort: skip
    efficientnet_lite,
    resnet,
    dinov2,
    mahmood,
    conch,
    paige,
    gigapath,
    bioptimus,
    owkin,
    histai,
    kaiko,
    lunit,
    gpfm,
    ctranspath,
    random_network,
    colour_statistics,
)

__all__ = ["ENCODERS", "Encoder", "EncoderSpec", "create_encoder", "find_encoder", "register"]
