"""PLISM in the feature layout of plism-benchmark (github.com/owkin/plism-benchmark): 13 stains x 7 scanners, registered."""

from __future__ import annotations

import re

from scangen_bundle.benchmark.datasets.base import Layout

# The scans of a stain are one glass on seven scanners. Patients are not told: a stain stands for one.
PLISM = Layout(
    name="PLISM (plism-benchmark)",
    expected="<STAIN>_<SCANNER>_to_<TARGET>/features.npy for 13 stains and 7 scanners, of one extractor",
    pattern=re.compile(r"(?P<stain>[^/]+)_(?P<scanner>[^_/]+)_to_[^/]+/features\.npy"),
    row=lambda name: {"specimen_id": name["stain"], "patient_id": name["stain"], "scanner": name["scanner"]},
    complete=True,
    features=True,
)
