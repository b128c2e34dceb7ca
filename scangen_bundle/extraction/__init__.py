"""From slide to bag: the extraction job and the resolution audit."""

from scangen_bundle.extraction.audit import AuditReport, AuditThresholds, ResolutionAudit, audit_scans
from scangen_bundle.extraction.bank import BankJob
from scangen_bundle.extraction.extract import ExtractionJob, ExtractionSummary

__all__ = [
    "AuditReport",
    "AuditThresholds",
    "BankJob",
    "ExtractionJob",
    "ExtractionSummary",
    "ResolutionAudit",
    "audit_scans",
]
