"""Expected calibration error of each scanner, over bins of equal numbers of scans.

The n scans of a scanner in order of p are cut into `BINS` runs whose lengths differ by at most one; scans with equal p stay in
the first of their runs. As biased as `ece`, so it has no interval either.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.of_predictions.ece import BIASED, BINS, gaps_in_bins
from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.prediction_measure import CALIBRATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


def equal_mass_bins(probability: np.ndarray) -> np.ndarray:
    """[N] int64 bin 0..BINS-1 of each probability, bins of equal numbers, equal probabilities in one bin."""
    ordered = np.sort(probability)
    first = np.searchsorted(ordered, probability, "left")
    return first * BINS // max(len(ordered), 1)


@prediction_measure(
    key="ece_equal_mass",
    title="ECE, equal mass",
    better="lower",
    help="the same over 10 bins of equal numbers of scans",
    group=CALIBRATION,
    position=3,
    without_interval=BIASED,
)
class EqualMassCalibrationError(PerScanner):
    worst = "highest"

    def columns(self, scans: Scans) -> dict[str, np.ndarray]:
        return {"gaps, equal mass": gaps_in_bins(scans, equal_mass_bins(scans.probability))}

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        return ratio(np.abs(sums["gaps, equal mass"]).sum(axis=0), sums["scans"])
