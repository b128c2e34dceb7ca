"""Vectors on disk: the feature-bag store, other tools' layouts, the extraction job, the resolution audit."""

from scangen_bundle.features.attributes import BagAttributes
from scangen_bundle.features.bag import FeatureBag
from scangen_bundle.features.extract import ExtractionJob, ExtractionSummary
from scangen_bundle.features.open import open_bag
from scangen_bundle.features.writer import open_writer, write_bag

__all__ = [
    "BagAttributes",
    "ExtractionJob",
    "ExtractionSummary",
    "FeatureBag",
    "open_bag",
    "open_writer",
    "write_bag",
]
