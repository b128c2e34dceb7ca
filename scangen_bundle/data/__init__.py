"""Bags to batches: the bag dataset, the specimen-by-scanner sampler, collate."""

from scangen_bundle.data.augment import FeatureNoise
from scangen_bundle.data.bags import BagDataset
from scangen_bundle.data.collate import collate_bags
from scangen_bundle.data.loader import PrefetchLoader
from scangen_bundle.data.moments import ScannerMoments, fit_moments
from scangen_bundle.data.prepare import PrepareBagBatch
from scangen_bundle.data.records import class_weights, feature_identity, make_records
from scangen_bundle.data.sampler import LengthBucketSampler, SpecimenScannerSampler

__all__ = [
    "BagDataset",
    "FeatureNoise",
    "LengthBucketSampler",
    "PrefetchLoader",
    "PrepareBagBatch",
    "ScannerMoments",
    "SpecimenScannerSampler",
    "class_weights",
    "collate_bags",
    "feature_identity",
    "fit_moments",
    "make_records",
]
