"""Lin's concordance of the scores of two scanners, moments with ddof = 0 (L. Lin, Biometrics 45, 1989)."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.intraclass import NO_VARIANCE
from scangen_bundle.measures.per_pair import PerPair
from scangen_bundle.measures.prediction_data import Pair
from scangen_bundle.measures.prediction_measure import PAIRS, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


@prediction_measure(
    key="ccc",
    title="Lin's CCC",
    better="higher",
    help="concordance of the scores of two scanners",
    baseline="no concordance: 0",
    chance=0.0,
    group=PAIRS,
    position=1,
)
class Concordance(PerPair):
    worst = "lowest"

    def columns(self, pair: Pair) -> dict[str, np.ndarray]:
        x, y = pair.x - pair.centre, pair.y - pair.centre
        return {"x": x, "y": y, "xx": x * x, "yy": y * y, "xy": x * y}

    def value(self, pair: Pair, sums: Sums) -> np.ndarray:
        count = np.where(sums["pairs"] >= 2, sums["pairs"], np.nan)
        mean_x, mean_y = sums["x"] / count, sums["y"] / count
        variance_x = sums["xx"] / count - mean_x**2
        variance_y = sums["yy"] / count - mean_y**2
        covariance = sums["xy"] / count - mean_x * mean_y
        varies = (variance_x > NO_VARIANCE) & (variance_y > NO_VARIANCE)
        spread = variance_x + variance_y + (mean_x - mean_y) ** 2
        return ratio(2 * covariance, np.where(varies, spread, 0))
