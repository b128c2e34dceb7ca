"""Camelyon17 (camelyon17.grand-challenge.org): 5 centres, 20 patients of each, 5 nodes of each; no slide is scanned twice."""

from __future__ import annotations

import re

from scangen_bundle.encoder_benchmark.datasets.base import Layout

PATIENTS_PER_CENTRE = 20

# The centre stands for the scanner. It confounds staining and population, too: only unpaired measures are defined.
CAMELYON17 = Layout(
    name="Camelyon17",
    expected="patient_<nnn>_node_<n>.tif, at any depth, patients 000 to 099 of the training part, nodes 0 to 4",
    pattern=re.compile(r"(?:.*/)?patient_(?P<patient>0\d\d)_node_(?P<node>[0-4])\.tif"),
    row=lambda name: {
        "specimen_id": f"patient_{name['patient']}_node_{name['node']}",
        "patient_id": f"patient_{name['patient']}",
        "scanner": f"centre_{int(name['patient']) // PATIENTS_PER_CENTRE}",
    },
    specimens=tuple(f"patient_{patient:03d}_node_{node}" for patient in range(100) for node in range(5)),
    complete=False,
    get="camelyon17.grand-challenge.org",
    licence="CC0",
)
