"""Brier score of each scanner (G. Brier, Mon. Weather Rev. 78, 1950)."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.prediction_measure import CALIBRATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


@prediction_measure(
    key="brier",
    title="Brier score",
    better="lower",
    help="mean squared difference of probability and label",
    group=CALIBRATION,
    position=1,
    summary=("scanner",),
)
class Brier(PerScanner):
    worst = "highest"

    def columns(self, scans: Scans) -> dict[str, np.ndarray]:
        return {"squared error": (scans.probability - scans.positive) ** 2}

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        return ratio(sums["squared error"], sums["scans"])
