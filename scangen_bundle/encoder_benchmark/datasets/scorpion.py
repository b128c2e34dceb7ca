"""SCORPION (J. Ryu et al., arXiv 2507.20907): 480 samples of 48 slides, each an aligned patch from five scanners."""

from __future__ import annotations

import re

from scangen_bundle.encoder_benchmark.datasets.base import Layout

# Samples are numbered within their slide; a slide stands for a patient.
SCORPION = Layout(
    name="SCORPION",
    expected="slide_<n>/sample_<m>/<SCANNER>.jpg for the scanners AT2, DP200, GT450, P1000 and Philips",
    pattern=re.compile(r"(?:.*/)?(?P<slide>slide_\d+)/(?P<sample>sample_\d+)/(?P<scanner>[^/]+)\.jpg"),
    row=lambda name: {
        "slide_id": f"{name['slide']}_{name['sample']}_{name['scanner']}",
        "specimen_id": f"{name['slide']}_{name['sample']}",
        "patient_id": name["slide"],
        "scanner": name["scanner"],
    },
    scanners=("AT2", "DP200", "GT450", "P1000", "Philips"),
    count=480,
    get="doi.org/10.5281/zenodo.16517924",
    licence="CC BY 4.0 by what its users write; read the Zenodo record",
)
