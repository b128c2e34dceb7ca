"""Bag to slide: the projector and the masked MILModel."""

from scangen_bundle.networks.contract import check_takes_mask, named_submodule, unwrap
from scangen_bundle.networks.mil import MaskedMILModel
from scangen_bundle.networks.projector import Projector

__all__ = ["MaskedMILModel", "Projector", "check_takes_mask", "named_submodule", "unwrap"]
