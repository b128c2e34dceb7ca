"""Share of the specimens on every scanner that get one class on all of them."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_specimen import PerSpecimen
from scangen_bundle.measures.prediction_data import Specimens
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


@prediction_measure(
    key="all_scanner_agreement",
    title="All-scanner agreement",
    better="higher",
    help="share of the specimens on every scanner that get one class on all",
    group=AGREEMENT,
    position=10,
)
class AllScannerAgreement(PerSpecimen):
    among = "complete"
    of_classes = True

    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        return {"one class": 1 - specimens.flips}

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        return ratio(sums["one class"], sums["specimens"])

    def is_share(self) -> bool:
        return True
