"""What to learn: the ScanGen loss."""

from scangen_bundle.losses.scangen import ScanGenLoss, ScanGenTerms, pair_masks
from scangen_bundle.losses.task import MaskedCrossEntropy

__all__ = ["MaskedCrossEntropy", "ScanGenLoss", "ScanGenTerms", "pair_masks"]
