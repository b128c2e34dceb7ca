"""From slide to bag: the extraction job and the resolution audit."""

from scangen_bundle.extraction.audit import AuditReport, AuditThresholds, ResolutionAudit, audit_scans
from scangen_bundle.extraction.bank import BankJob
from scangen_bundle.extraction.extract_slide import SlideResult, extract_slide
from scangen_bundle.extraction.hand import ExtractionSummary
from scangen_bundle.extraction.job import ExtractionJob
from scangen_bundle.extraction.request import ExtractionRequest
from scangen_bundle.extraction.stage import Scratch
from scangen_bundle.extraction.work import SlideTask, TilingSettings

__all__ = [
    "AuditReport",
    "AuditThresholds",
    "BankJob",
    "ExtractionJob",
    "ExtractionRequest",
    "ExtractionSummary",
    "ResolutionAudit",
    "Scratch",
    "SlideResult",
    "SlideTask",
    "TilingSettings",
    "audit_scans",
    "extract_slide",
]
