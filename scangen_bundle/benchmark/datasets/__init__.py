"""Public multi-scanner sets as manifests; nothing is downloaded."""

from scangen_bundle.benchmark.datasets.base import Layout, missing_scans, scan_table, write_manifest
from scangen_bundle.benchmark.datasets.camelyon17 import CAMELYON17
from scangen_bundle.benchmark.datasets.named import named_layout
from scangen_bundle.benchmark.datasets.plism import PLISM

__all__ = ["CAMELYON17", "PLISM", "Layout", "missing_scans", "named_layout", "scan_table", "write_manifest"]
