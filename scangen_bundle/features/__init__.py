"""Vectors on disk: the feature-bag store, other tools' layouts, the extraction job, the resolution audit."""

from scangen_bundle.features.attributes import BagAttributes
from scangen_bundle.features.audit import AuditReport, AuditThresholds, ResolutionAudit, audit_scans
from scangen_bundle.features.bag import FeatureBag
from scangen_bundle.features.extract import ExtractionJob, ExtractionSummary
from scangen_bundle.features.open import open_bag
from scangen_bundle.features.writer import open_writer, write_bag

__all__ = [
    "AuditReport",
    "AuditThresholds",
    "BagAttributes",
    "ExtractionJob",
    "ExtractionSummary",
    "FeatureBag",
    "ResolutionAudit",
    "audit_scans",
    "open_bag",
    "open_writer",
    "write_bag",
]
