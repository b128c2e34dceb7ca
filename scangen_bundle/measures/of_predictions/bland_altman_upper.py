"""Upper limit of agreement of two scanners: bias + 1.96 sd of the differences, ddof = 1."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.bland_altman import Differences
from scangen_bundle.measures.prediction_data import Pair
from scangen_bundle.measures.prediction_measure import PAIRS, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="bland_altman_upper",
    title="Upper limit of agreement",
    better="zero",
    help="bias + 1.96 sd of the differences",
    group=PAIRS,
    position=5,
    two_classes_only=True,
)
class UpperLimit(Differences):
    def value(self, pair: Pair, sums: Sums) -> np.ndarray:
        return self.bias(pair, sums) + self.limit(sums)
