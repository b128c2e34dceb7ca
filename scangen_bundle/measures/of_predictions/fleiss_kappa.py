"""Fleiss' kappa of the predicted classes over all scanners (J. Fleiss, Psychological Bulletin 76, 1971)."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.kappa import beyond_chance
from scangen_bundle.measures.per_specimen import PerSpecimen
from scangen_bundle.measures.prediction_data import Specimens
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


@prediction_measure(
    key="fleiss_kappa",
    title="Fleiss' kappa",
    better="higher",
    help="agreement of the classes over all scanners beyond chance",
    baseline="chance: 0",
    chance=0.0,
    group=AGREEMENT,
    position=11,
)
class FleissKappa(PerSpecimen):
    among = "complete"
    of_classes = True

    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        raters = len(specimens.scanners)
        pairs = ((specimens.votes**2).sum(axis=1) - raters) / max(raters * (raters - 1), 1)
        return {"agreeing pairs": pairs, "votes": specimens.votes}

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        count = sums["specimens"]
        share = ratio(sums["votes"], count * len(specimens.scanners))  # [C, R]
        return beyond_chance(ratio(sums["agreeing pairs"], count), (share**2).sum(axis=0))

    def reason(self) -> str:
        return "all classes are the same"
