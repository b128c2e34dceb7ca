"""PLISM as plism-benchmark lays it out (github.com/owkin/plism-benchmark): 13 stains x 7 scanners, registered."""

from __future__ import annotations

import re

from scangen_bundle.encoder_benchmark.datasets.base import Layout

STAINS = ("GIV", "GIVH", "GM", "GMH", "GV", "GVH", "HR", "HRH", "KR", "KRH", "LM", "LMH", "MY")
SCANNERS = ("AT2", "GT450", "P", "S210", "S360", "S60", "SQ")
OF_SLIDE = r"(?P<stain>[^/]+)_(?P<scanner>[^_/]+)_to_[^/]+"


def _layout(name: str, expected: str, pattern: str, get: str, features: bool) -> Layout:
    """The scans of a stain are one glass on seven scanners. Patients are not told: a stain stands for one."""
    return Layout(
        name=name,
        expected=expected,
        pattern=re.compile(pattern),
        row=lambda name: {
            "specimen_id": name["stain"],
            "patient_id": name["stain"],
            "scanner": name["scanner"],
            "stain": name["stain"],
        },
        specimens=STAINS,
        scanners=SCANNERS,
        features=features,
        get=get,
        licence="CC BY 4.0",
    )


PLISM = _layout(
    "PLISM (features)",
    "<STAIN>_<SCANNER>_to_<TARGET>/features.npy for 13 stains and 7 scanners, of one extractor",
    OF_SLIDE + r"/features\.npy",
    "`plismbench extract` of github.com/owkin/plism-benchmark",
    features=True,
)

PLISM_TILES = _layout(
    "PLISM (tiles)",
    "<STAIN>_<SCANNER>_to_<TARGET>.tif.h5 for 13 stains and 7 scanners",
    OF_SLIDE + r"\.h5",
    "huggingface.co/datasets/owkin/plism-dataset (225 GB)",
    features=False,
)
