"""Multi-scanner canine cutaneous squamous cell carcinoma (F. Wilm et al., arXiv 2301.04423): 44 samples x 5 scanners."""

from __future__ import annotations

import re

from scangen_bundle.encoder_benchmark.datasets.base import Layout

CANINE_SCC = Layout(
    name="multi-scanner canine SCC",
    expected="scc_<nn>_<scanner>.tif, at any depth, samples 01 to 44, scanners cs2, nz20, nz210, p1000 and gt450",
    pattern=re.compile(r"(?:.*/)?(?P<sample>scc_\d\d)_(?P<scanner>[a-z0-9]+)\.(?:tif|tiff|svs|ndpi|mrxs)"),
    row=lambda name: {"specimen_id": name["sample"], "patient_id": name["sample"], "scanner": name["scanner"]},
    specimens=tuple(f"scc_{n:02d}" for n in range(1, 45)),
    scanners=("cs2", "gt450", "nz20", "nz210", "p1000"),
    get="doi.org/10.5281/zenodo.7418555",
    licence="CC BY 4.0 by what its users write; read the Zenodo record",
)
