"""Expected calibration error of each scanner, over bins of equal width (M. Naeini et al., AAAI 2015).

Sum over bins of the share of scans times |mean p - mean y|. A bin holds its lower edge, the last one also 1.

It is biased upwards in small samples, and resampling adds its bias once more: intervals from resamples covered the truth in 0
to 1 % of simulated cohorts. So it has no interval; compare scanners of similar size.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.prediction_measure import CALIBRATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio

BINS = 10
BIASED = "the ECE is biased upwards, in resamples once more, so their interval would miss the truth"


def equal_width_bins(probability: np.ndarray) -> np.ndarray:
    """[N] int64 bin 0..BINS-1 of each probability, bins of equal width."""
    return np.minimum((np.asarray(probability) * BINS).astype(np.int64), BINS - 1)


def gaps_in_bins(scans: Scans, bins: np.ndarray) -> np.ndarray:
    """[n, BINS] p - y of each scan in the column of its bin, 0 in the others."""
    gap = scans.probability - scans.positive
    return np.where(bins[:, None] == np.arange(BINS), gap[:, None], 0.0)


@prediction_measure(
    key="ece",
    title="ECE",
    better="lower",
    help="mean gap of probability and frequency over 10 bins of equal width",
    group=CALIBRATION,
    position=2,
    summary=("scanner",),
    without_interval=BIASED,
)
class ExpectedCalibrationError(PerScanner):
    worst = "highest"

    def columns(self, scans: Scans) -> dict[str, np.ndarray]:
        return {"gaps, equal width": gaps_in_bins(scans, equal_width_bins(scans.probability))}

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        return ratio(np.abs(sums["gaps, equal width"]).sum(axis=0), sums["scans"])
