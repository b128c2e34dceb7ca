"""Standard deviation (ddof = 1) of a specimen's scores over its scanners, mean over specimens."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_specimen import PerSpecimen
from scangen_bundle.measures.prediction_data import Specimens
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


@prediction_measure(
    key="sd",
    title="SD",
    better="lower",
    help="sd (ddof 1) of a specimen's scores over its scanners, mean over specimens",
    group=AGREEMENT,
    position=7,
)
class StandardDeviation(PerSpecimen):
    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        return {"sd": specimens.spread["sd"]}

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        return ratio(sums["sd"], sums["specimens"])
