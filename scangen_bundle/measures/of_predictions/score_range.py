"""Largest minus smallest score of a specimen over its scanners, mean over specimens."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_specimen import PerSpecimen
from scangen_bundle.measures.prediction_data import Specimens
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


@prediction_measure(
    key="score_range",
    title="Score range",
    better="lower",
    help="largest minus smallest score of a specimen, mean over specimens",
    group=AGREEMENT,
    position=8,
)
class ScoreRange(PerSpecimen):
    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        return {"score range": specimens.spread["score_range"]}

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        return ratio(sums["score range"], sums["specimens"])
