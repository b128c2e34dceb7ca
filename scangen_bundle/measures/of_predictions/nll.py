"""Negative log-likelihood of each scanner: mean of -log p(label), with p not below 1e-12."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.prediction_measure import CALIBRATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio

LEAST_PROBABILITY = 1e-12  # a probability of 0 has no logarithm


@prediction_measure(
    key="nll",
    title="NLL",
    better="lower",
    help="mean negative logarithm of the label's probability",
    group=CALIBRATION,
    position=7,
)
class NegativeLogLikelihood(PerScanner):
    worst = "highest"

    def columns(self, scans: Scans) -> dict[str, np.ndarray]:
        if scans.classes == 2:
            of_label = np.where(scans.positive, scans.probability, 1 - scans.probability)
        else:
            of_label = np.where(scans.positive, scans.probability, 1.0)  # the other classes count where they are taken
        return {"negative log-likelihood": -np.log(np.maximum(of_label, LEAST_PROBABILITY))}

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        # The measure is the mean over the scored classes, the loss of a scan is their sum.
        scored = 1 if scans.classes == 2 else scans.classes
        return scored * ratio(sums["negative log-likelihood"], sums["scans"])
