"""The phantom cohort: synthetic H&E tissue with a known phenotype, scanned by virtual scanners."""

from scangen_bundle.phantom.build import make_phantom_cohort
from scangen_bundle.phantom.scanners import SCANNERS, Scanner

__all__ = ["SCANNERS", "Scanner", "make_phantom_cohort"]
