"""Scanner probes: is the scanner told from a tile, of patients that the probe did not see?"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import AT, UNPAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.mean_of_ratios import MeanOfRatios, balanced_accuracy
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.probes import knn_probe, linear_probe
from scangen_bundle.statistics.bootstrap import Statistic

FOLDS = 5
CHANCE = "chance, 1 / scanners"
LINEAR, KNN = "scanner_probe/linear", "scanner_probe/knn"
RECALL = {LINEAR: "scanner_recall/linear", KNN: "scanner_recall/knn"}


@feature_measure(
    FeatureMeasure(
        LINEAR,
        "scanner probe, linear",
        "lower",
        "Balanced accuracy of telling the scanner, on patients that the probe did not see.",
        baseline=CHANCE,
        group=UNPAIRED,
        position=10,
        overview=4,
        beside_colour=True,
        of_embeddings=True,
    ),
    FeatureMeasure(
        KNN,
        "scanner probe, kNN",
        "lower",
        "The same by the nearest vectors of other patients.",
        baseline=CHANCE,
        group=UNPAIRED,
        position=11,
        beside_colour=True,
        of_embeddings=True,
    ),
    FeatureMeasure(
        RECALL[LINEAR],
        "scanner probe, linear: recall",
        "lower",
        "Share of a scanner's tiles that the probe tells to be of it.",
        baseline=CHANCE,
        group=UNPAIRED,
        position=12,
        by="scanner",
    ),
    FeatureMeasure(
        RECALL[KNN],
        "scanner probe, kNN: recall",
        "lower",
        "The same by the nearest tiles.",
        baseline=CHANCE,
        group=UNPAIRED,
        position=13,
        by="scanner",
    ),
)
def scanner_probe(features: FeatureViews) -> Measured:
    tiles = features.sampled_tiles
    patients = len(np.unique(tiles.patient))
    if tiles.scanners < 2:
        raise UndefinedMeasure("one scanner only")
    if patients < 2:
        raise UndefinedMeasure("one patient only: a probe is tested on other patients")
    guesses = {
        LINEAR: linear_probe(tiles.values, tiles.scanner, tiles.patient, min(FOLDS, patients), features.seed),
        KNN: knn_probe(tiles.values, tiles.scanner, tiles.patient),
    }
    statistics: list[Statistic] = []
    for key, guess in guesses.items():
        statistics.append(balanced_accuracy(key, tiles.scanner, guess, tiles.patient, tiles.patients))
        for code, name in enumerate(features.scanner_names):
            rows = tiles.scanner == code
            recall = f"{RECALL[key]}{AT}{name}"
            hits = rows & (guess == code)
            statistics.append(MeanOfRatios(recall, hits, rows, tiles.patient, tiles.patients, share=True))
    chance = 1 / tiles.scanners
    baselines = dict.fromkeys([*guesses, *RECALL.values()], chance)
    return Measured(statistics, tiles.patients, rows=len(tiles), baselines=baselines)
