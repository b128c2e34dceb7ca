"""What a MIL head makes of the features, on patients that it was not trained on: does it say the same on all scanners?"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import AT, DOWNSTREAM, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews, shuffled_rows
from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_statistic import PredictionStatistic
from scangen_bundle.measures.predictions import Predictions

AUROC, MEAN, WORST = "downstream/auroc", "downstream/auroc_mean", "downstream/auroc_worst"
COV, FLIP_RATE = "downstream/cov", "downstream/flip_rate"
THRESHOLD = 0.5  # classes weigh equally in training, so nothing has to be chosen on anybody's scans
SHUFFLES = 20
OTHER_TISSUE = "scans of different tissue"


@feature_measure(
    FeatureMeasure(
        MEAN,
        "AUROC, mean",
        "higher",
        "Of a MIL head on patients it was not trained on, mean over scanners.",
        baseline="chance",
        group=DOWNSTREAM,
        position=10,
        overview=7,
        scatter="task",
    ),
    FeatureMeasure(
        WORST,
        "AUROC, worst",
        "higher",
        "On the worst scanner.",
        baseline="chance on one scanner",
        group=DOWNSTREAM,
        position=11,
        overview=8,
    ),
    FeatureMeasure(
        AUROC,
        "AUROC of the MIL head",
        "higher",
        "On patients it was not trained on.",
        baseline="chance",
        group=DOWNSTREAM,
        position=12,
        by="scanner",
    ),
)
def discrimination(features: FeatureViews) -> Measured:
    predictions = features.predictions
    names = {f"auroc/{name}": f"{AUROC}{AT}{name}" for name in predictions.scanners}
    return Measured(
        [PredictionStatistic(PredictionData(predictions, THRESHOLD), ["auroc"])],
        len(predictions.patients),
        rows=len(predictions.patient),
        baselines=dict.fromkeys((MEAN, WORST, AUROC), 0.5),
        strata=predictions.strata(),
        names={**names, "auroc/mean": MEAN, "auroc/worst": WORST},
    )


@feature_measure(
    FeatureMeasure(
        COV,
        "CoV",
        "lower",
        "Sd over mean of a specimen's probabilities over its scanners.",
        baseline=OTHER_TISSUE,
        group=DOWNSTREAM,
        position=13,
    ),
    FeatureMeasure(
        FLIP_RATE,
        "flip rate",
        "lower",
        "Specimens whose class changes with the scanner, at 0.5.",
        baseline=OTHER_TISSUE,
        group=DOWNSTREAM,
        position=14,
        overview=9,
    ),
)
def agreement(features: FeatureViews) -> Measured:
    predictions = features.predictions
    return Measured(
        [_agreement(predictions)],
        len(predictions.patients),
        rows=len(predictions.patient),
        baselines=_of_other_tissue(predictions, features.generator()),
        strata=predictions.strata(),
        names={"cov": COV, "flip_rate": FLIP_RATE},
    )


def _agreement(predictions: Predictions) -> PredictionStatistic:
    return PredictionStatistic(PredictionData(predictions, THRESHOLD), ["cov", "flip_rate"])


def _of_other_tissue(predictions: Predictions, generator: np.random.Generator) -> dict[str, float]:
    """Both values of scans of different tissue: each scanner's scores are shuffled among its scans."""
    values = []
    for _ in range(SHUFFLES):
        rows = shuffled_rows(predictions.scanner, generator)
        mixed = predictions.with_probability(predictions.probability[rows])
        shuffled = _agreement(mixed).observed()
        values.append([shuffled["cov"], shuffled["flip_rate"]])
    cov, flip_rate = np.array(values).T
    return {COV: _mean_of_defined(cov), FLIP_RATE: _mean_of_defined(flip_rate)}


def _mean_of_defined(values: np.ndarray) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else float("nan")
