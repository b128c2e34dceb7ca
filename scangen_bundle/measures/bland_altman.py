"""What Bland and Altman's bias and limits share: the differences of the scores of two scanners."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_pair import PerPair
from scangen_bundle.measures.prediction_data import Pair
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


class Differences(PerPair):
    """Differences x - y about their observed mean, which keeps their digits."""

    def columns(self, pair: Pair) -> dict[str, np.ndarray]:
        difference = pair.x - pair.y - pair.shift
        return {"difference": difference, "squared difference": difference**2}

    def bias(self, pair: Pair, sums: Sums) -> np.ndarray:
        """[R] mean difference."""
        return ratio(sums["difference"], sums["pairs"]) + pair.shift

    def limit(self, sums: Sums) -> np.ndarray:
        """[R] 1.96 sd of the differences, ddof = 1; NaN with fewer than two specimens."""
        count = sums["pairs"]
        squares = sums["squared difference"] - count * np.nan_to_num(ratio(sums["difference"], count)) ** 2
        variance = np.where(count >= 2, ratio(squares, count - 1), np.nan)
        return 1.96 * np.sqrt(np.maximum(variance, 0))
