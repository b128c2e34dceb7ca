"""Absolute difference of the scores of two scans of a specimen: mean over pairs and specimens, and of each pair of scanners."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_pair import PerPair
from scangen_bundle.measures.per_specimen import PerSpecimen
from scangen_bundle.measures.prediction_data import Pair, Specimens
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


class OfPairs(PerPair):
    def columns(self, pair: Pair) -> dict[str, np.ndarray]:
        return {"absolute difference": np.abs(pair.x - pair.y)}

    def value(self, pair: Pair, sums: Sums) -> np.ndarray:
        return ratio(sums["absolute difference"], sums["pairs"])


@prediction_measure(
    key="abs_difference",
    title="|Δ| of pairs",
    better="lower",
    help="absolute difference of the scores of two scans of a specimen",
    group=AGREEMENT,
    position=9,
)
class AbsoluteDifference(PerSpecimen):
    of_pairs = OfPairs

    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        return {"absolute difference": specimens.spread["abs_difference"]}

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        return ratio(sums["absolute difference"], sums["specimens"])
