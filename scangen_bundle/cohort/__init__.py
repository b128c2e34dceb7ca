"""Who and what: the manifest and its rules, confounding, splits, the phantom cohort."""

from scangen_bundle.cohort.confounding import ConfoundingReport, confounding_report, cramers_v
from scangen_bundle.cohort.egfr import label_manifest, read_egfr_table
from scangen_bundle.cohort.manifest import check_files, load_manifest, write_manifest
from scangen_bundle.cohort.splits import check_splits, hold_out_scanner, k_fold, resolve_splits, split_patients

__all__ = [
    "ConfoundingReport",
    "check_files",
    "check_splits",
    "confounding_report",
    "cramers_v",
    "hold_out_scanner",
    "k_fold",
    "label_manifest",
    "load_manifest",
    "read_egfr_table",
    "resolve_splits",
    "split_patients",
    "write_manifest",
]
