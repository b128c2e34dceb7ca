"""AUROC of each scanner (J. Hanley, B. McNeil, Radiology 143, 1982)."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.confusion import count_disjoint_pairs
from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.prediction_measure import DISCRIMINATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="auroc",
    title="AUROC",
    better="higher",
    help="share of (positive, negative) pairs of scans in the right order, ties half",
    baseline="guessing: 0.5",
    chance=0.5,
    group=DISCRIMINATION,
    position=1,
    headline=("scanner", "mean", "worst"),
)
class Auroc(PerScanner):
    worst = "lowest"

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        return scans.ranked(sums).auroc()

    def count_trials(self, scans: Scans) -> int:
        return count_disjoint_pairs(scans)
