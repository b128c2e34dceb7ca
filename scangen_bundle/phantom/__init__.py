"""The phantom cohort: synthetic H&E tissue with a known phenotype, scanned by virtual scanners."""

from scangen_bundle.phantom.build import make_phantom_cohort
from scangen_bundle.phantom.scanners import FAR_SCANNERS, SCANNERS, Scanner

__all__ = ["FAR_SCANNERS", "SCANNERS", "Scanner", "make_phantom_cohort"]
