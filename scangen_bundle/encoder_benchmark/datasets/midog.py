"""MIDOG++ (M. Aubreville et al., Sci Data 10, 2023): 503 regions of seven tumour types, each from one of five scanners."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scangen_bundle.encoder_benchmark.datasets.base import Layout

# (first case, last case, scanner, tumour) as datasets_xvalidation.csv of github.com/DeepMicroscopy/MIDOGpp lists them.
# Only the breast cancers were scanned on several scanners: elsewhere tumour and scanner are one.
BLOCKS = (
    (1, 50, "Hamamatsu XR", "human breast cancer"),
    (51, 100, "Hamamatsu S360", "human breast cancer"),
    (101, 150, "Aperio CS2", "human breast cancer"),
    (201, 244, "3D Histech", "canine lung cancer"),
    (245, 299, "3D Histech", "canine lymphoma"),
    (300, 349, "Aperio CS2", "canine cutaneous mast cell tumor"),
    (350, 404, "Hamamatsu XR", "human neuroendocrine tumor"),
    (405, 504, "3D Histech", "canine soft tissue sarcoma"),
    (505, 553, "Hamamatsu XR", "human melanoma"),
)
CASES = {f"{case:03d}": (scanner, tumour) for first, last, scanner, tumour in BLOCKS for case in range(first, last + 1)}


def _row(name: Mapping[str, str]) -> Mapping[str, str]:
    case = name["case"]
    scanner, tumour = CASES[case]
    return {"specimen_id": case, "patient_id": case, "scanner": scanner, "tumour": tumour}


MIDOGPP = Layout(
    name="MIDOG++",
    expected="<nnn>.tiff, at any depth, for the 503 cases 001 to 150 and 201 to 553",
    pattern=re.compile(rf"(?:.*/)?(?P<case>{'|'.join(CASES)})\.tiff?"),
    row=_row,
    specimens=tuple(CASES),
    complete=False,
    get="figshare, by Setup.ipynb of github.com/DeepMicroscopy/MIDOGpp (65 GB)",
    licence="CC BY 4.0",
)
