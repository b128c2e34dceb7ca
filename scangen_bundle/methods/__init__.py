"""What makes scanners agree."""

from scangen_bundle.methods.scangen import ScanGenLoss, ScanGenTerms, pair_masks

__all__ = ["ScanGenLoss", "ScanGenTerms", "pair_masks"]
