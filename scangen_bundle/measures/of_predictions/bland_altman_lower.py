"""Lower limit of agreement of two scanners: bias - 1.96 sd of the differences, ddof = 1."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.bland_altman import Differences
from scangen_bundle.measures.prediction_data import Pair
from scangen_bundle.measures.prediction_measure import PAIRS, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="bland_altman_lower",
    title="Lower limit of agreement",
    better="zero",
    help="bias - 1.96 sd of the differences",
    group=PAIRS,
    position=4,
    two_classes_only=True,
)
class LowerLimit(Differences):
    def value(self, pair: Pair, sums: Sums) -> np.ndarray:
        return self.bias(pair, sums) - self.limit(sums)
