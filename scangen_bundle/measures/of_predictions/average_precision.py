"""Average precision of each scanner: area under the steps of precision over recall, without interpolation."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.prediction_measure import DISCRIMINATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="average_precision",
    title="Average precision",
    better="higher",
    help="area under the precision-recall steps",
    baseline="guessing: share of positives",
    group=DISCRIMINATION,
    position=2,
)
class AveragePrecision(PerScanner):
    worst = "lowest"

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        return scans.ranked(sums).average_precision()
