"""Bags to batches: the bag dataset, the specimen-by-scanner sampler, collate."""

from scangen_bundle.data.augment import FeatureNoise
from scangen_bundle.data.bags import BagDataset
from scangen_bundle.data.cohort_scans import CohortScans, Records, manifest_scans, training_cohort
from scangen_bundle.data.collate import collate_bags
from scangen_bundle.data.loader import PrefetchLoader
from scangen_bundle.data.mapped import BagReader
from scangen_bundle.data.prepare import PrepareBagBatch
from scangen_bundle.data.records import class_weights, feature_identity, make_records
from scangen_bundle.data.sampler import LengthBucketSampler, SpecimenScannerSampler
from scangen_bundle.data.scans import admit_scanners, check_needs, scans_of, training_scans, with_reading_bar

__all__ = [
    "BagDataset",
    "BagReader",
    "CohortScans",
    "FeatureNoise",
    "LengthBucketSampler",
    "PrefetchLoader",
    "PrepareBagBatch",
    "Records",
    "SpecimenScannerSampler",
    "admit_scanners",
    "check_needs",
    "class_weights",
    "collate_bags",
    "feature_identity",
    "make_records",
    "manifest_scans",
    "scans_of",
    "training_cohort",
    "training_scans",
    "with_reading_bar",
]
