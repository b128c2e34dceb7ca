"""What makes scanners agree: one file for each method."""

from scangen_bundle.methods.combined import Combined, adapt_method, fit_method
from scangen_bundle.methods.create import create_method
from scangen_bundle.methods.gather import gather_batch
from scangen_bundle.methods.method import METHODS, Batch, Method, Needs, Scan, overrides, register
from scangen_bundle.methods.plain import Plain
from scangen_bundle.methods.scangen import ScanGenLoss, ScanGenTerms, pair_masks
from scangen_bundle.methods.scanners import scanner_key, scanner_keys

__all__ = [
    "METHODS",
    "Batch",
    "Combined",
    "Method",
    "Needs",
    "Plain",
    "Scan",
    "ScanGenLoss",
    "ScanGenTerms",
    "adapt_method",
    "create_method",
    "fit_method",
    "gather_batch",
    "overrides",
    "pair_masks",
    "register",
    "scanner_key",
    "scanner_keys",
]
