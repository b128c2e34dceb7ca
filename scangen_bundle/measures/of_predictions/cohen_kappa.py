"""Cohen's kappa of the predicted classes of two scanners (J. Cohen, Educational and Psychological Measurement 20, 1960)."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.kappa import beyond_chance
from scangen_bundle.measures.per_pair import PerPair
from scangen_bundle.measures.prediction_data import Pair
from scangen_bundle.measures.prediction_measure import PAIRS, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


@prediction_measure(
    key="cohen_kappa",
    title="Cohen's kappa",
    better="higher",
    help="agreement of the classes of two scanners beyond chance",
    baseline="chance: 0",
    chance=0.0,
    group=PAIRS,
    position=2,
)
class CohenKappa(PerPair):
    worst = "lowest"
    of_classes = True

    def columns(self, pair: Pair) -> dict[str, np.ndarray]:
        classes = np.arange(pair.classes)
        first = pair.class_x[:, None] == classes
        second = pair.class_y[:, None] == classes
        return {"same class": pair.class_x == pair.class_y, "classes of x": first, "classes of y": second}

    def value(self, pair: Pair, sums: Sums) -> np.ndarray:
        count = sums["pairs"]
        by_chance = (sums["classes of x"] * sums["classes of y"]).sum(axis=0)
        return beyond_chance(ratio(sums["same class"], count), ratio(by_chance, count**2))

    def reason(self) -> str:
        return "all classes are the same"
