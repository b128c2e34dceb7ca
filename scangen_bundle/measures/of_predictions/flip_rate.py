"""Share of the specimens whose predicted class differs between any two of their scanners, and between each pair."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_pair import PerPair
from scangen_bundle.measures.per_specimen import PerSpecimen
from scangen_bundle.measures.prediction_data import Pair, Specimens
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


class OfPairs(PerPair):
    of_classes = True

    def columns(self, pair: Pair) -> dict[str, np.ndarray]:
        return {"same class": pair.class_x == pair.class_y}

    def value(self, pair: Pair, sums: Sums) -> np.ndarray:
        return 1 - ratio(sums["same class"], sums["pairs"])

    def is_share(self) -> bool:
        return True


@prediction_measure(
    key="flip_rate",
    title="Flip rate",
    better="lower",
    help="share of the specimens whose class differs between any two of their scanners",
    group=AGREEMENT,
    position=5,
    headline=("",),
)
class FlipRate(PerSpecimen):
    of_classes = True
    of_pairs = OfPairs

    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        return {"flips": specimens.flips}

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        return ratio(sums["flips"], sums["specimens"])

    def is_share(self) -> bool:
        return True
