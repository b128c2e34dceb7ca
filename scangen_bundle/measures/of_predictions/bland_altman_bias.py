"""Bland-Altman bias of two scanners: mean of x_a - x_b (J. Bland, D. Altman, Lancet 327, 1986).

Left out with more than two classes: the differences of a scan's probabilities sum to 0.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.bland_altman import Differences
from scangen_bundle.measures.prediction_data import Pair
from scangen_bundle.measures.prediction_measure import PAIRS, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="bland_altman_bias",
    title="Bland-Altman bias",
    better="zero",
    help="mean difference of the scores, first minus second",
    group=PAIRS,
    position=3,
    two_classes_only=True,
)
class Bias(Differences):
    def value(self, pair: Pair, sums: Sums) -> np.ndarray:
        return self.bias(pair, sums)
