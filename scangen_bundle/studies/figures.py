"""The measures of pooled models on one set of resamples of patients, and their means over seeds and held-out scanners."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_statistic import PredictionStatistic
from scangen_bundle.measures.predictions import Predictions, check_predictions, probability_columns
from scangen_bundle.statistics.bootstrap import PatientBootstrap, Resampled, Statistic, merged
from scangen_bundle.studies.models import ENSEMBLE, THRESHOLD, Model, shift_to_half

DISAGREEMENT = "unseen_disagreement"
# Measures of the predicted class: at the thresholds that validation chose. All others are of the probabilities.
OF_CLASS = (
    "flip_rate",
    DISAGREEMENT,
    "all_scanner_agreement",
    "fleiss_kappa",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
)
OF_SCORE = ("auroc", "brier", "nll", "icc", "logit_icc", "logit_sd_ratio", "cov", "sd")
AT_HALF = ("flip_rate",)  # of the class at the threshold 0.5, as `flip_rate_at_half`
HALF_SUFFIX = "_at_half"
FAR_PREFIX = "far_"  # of the scanners that no cell trains on


class _Renamed:
    """A statistic whose keys `rename` changes; keys that become "" are left out."""

    def __init__(self, part: Statistic, rename: Callable[[str], str]) -> None:
        self._part, self._rename = part, rename
        for name in ("reasons", "trials", "patients", "without_interval"):
            setattr(self, name, self._renamed(merged([part], name)))

    reasons: dict[str, str]

    def _renamed(self, values: dict) -> dict:
        return {self._rename(key): value for key, value in values.items() if self._rename(key)}

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return self._renamed(self._part(weights))


def statistics_of(model: Model, never_train: Collection[str] = ()) -> list[Statistic]:
    """The measures of one model, each a statistic of patients' weights.

    Args:
        model: whose test scans are measured.
        never_train: scanners that no cell trains on; they enter the values that begin with `far_` alone.
    """
    far = [name for name in never_train if (model.table["scanner"] == name).any()]
    ordinary = model.table[~model.table["scanner"].isin(far)]
    unseen = [name for name in model.hold_out if (ordinary["scanner"] == name).any()]
    scores = PredictionData(check_predictions(_without_threshold(ordinary)), 0.5, unseen=unseen, pairs=())
    classes = PredictionData(_at_threshold(ordinary), 0.5, unseen=unseen, pairs=())
    statistics: list[Statistic] = [
        PredictionStatistic(scores, OF_SCORE),
        PredictionStatistic(classes, OF_CLASS),
        _Renamed(PredictionStatistic(scores, AT_HALF), lambda key: key + HALF_SUFFIX),
    ]
    if far:
        table = model.table[~model.table["scanner"].isin(unseen)]  # trained on, or far
        far_scores = PredictionData(check_predictions(_without_threshold(table)), 0.5, unseen=far, pairs=())
        far_classes = PredictionData(_at_threshold(table), 0.5, unseen=far, pairs=())
        for part in (PredictionStatistic(far_scores, ["auroc"]), PredictionStatistic(far_classes, [DISAGREEMENT])):
            statistics.append(_Renamed(part, lambda key: _far_key(key, far)))
    return statistics


def _without_threshold(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=THRESHOLD)


def _at_threshold(table: pd.DataFrame) -> Predictions:
    """Predictions whose probabilities are moved so that each row's own threshold is at 0.5."""
    if probability_columns(table) == ["probability"]:
        moved = shift_to_half(table["probability"].to_numpy(), table[THRESHOLD].to_numpy())
        table = table.assign(probability=moved)
    return check_predictions(_without_threshold(table))


def _far_key(key: str, far: Collection[str]) -> str:
    """The key of a value of these scanners, such as `far_auroc/mean`; "" of other values."""
    name, _, scope = key.partition("/")
    mean = "mean" if name == DISAGREEMENT else "mean_unseen"
    if scope == mean:
        return f"{FAR_PREFIX}{name}/mean"
    return f"{FAR_PREFIX}{key}" if scope in far else ""


@dataclass(frozen=True)
class Samples:
    """The measures of all models of a scheme, on the same resamples of patients.

    Attributes:
        models: in the order of their numbers.
        result: values by `<number of the model>|<key>`.
    """

    models: Sequence[Model]
    result: Resampled

    def mean(self, models: Iterable[Model]) -> Resampled:
        """The mean over held-out scanners of the mean over seeds; of the values that all of these models have."""
        by_hold_out: dict[tuple[str, ...], list[str]] = {}
        for model in models:
            prefix = f"{self.models.index(model)}|"
            by_hold_out.setdefault(model.hold_out, []).append(prefix)
        return _mean(self.result, list(by_hold_out.values()))


def resample(
    models: Sequence[Model], never_train: Collection[str] = (), resamples: int = 2000, seed: int = 0
) -> Samples:
    """Measure models of the same test scans on the observed patients and on resamples of them.

    Args:
        models: at least one.
        never_train: see `statistics_of`.
        resamples: of the patients.
        seed: of the resamples.

    Raises:
        ValueError: the models were tested on different scans.
    """
    first = models[0].table
    for model in models:
        if list(model.table["slide_id"]) != list(first["slide_id"]):
            raise ValueError(f"{model.method} was tested on other scans than {models[0].method}")
    statistics: list[Statistic] = []
    for number, model in enumerate(models):
        for part in statistics_of(model, never_train):
            statistics.append(_Renamed(part, f"{number}|{{}}".format))
    strata = check_predictions(_without_threshold(first)).strata()
    return Samples(models, PatientBootstrap(strata, resamples, seed).run(statistics, len(first)))


def _mean(result: Resampled, groups: Sequence[Sequence[str]]) -> Resampled:
    """The mean over groups of the mean within each; members are prefixes of keys."""
    members = [prefix for group in groups for prefix in group]
    first = members[0]
    keys = [key.removeprefix(first) for key in result.observed if key.startswith(first)]
    shared = [key for key in keys if all(prefix + key in result.observed for prefix in members)]

    def mean(values: dict, key: str) -> np.ndarray:
        return np.mean([np.mean([values[prefix + key] for prefix in group], axis=0) for group in groups], axis=0)

    def first_of(values: dict, key: str) -> str:
        return next((values[prefix + key] for prefix in members if prefix + key in values), "")

    return replace(
        result,
        observed={key: float(mean(result.observed, key)) for key in shared},
        samples={key: mean(result.samples, key) for key in shared},
        jackknife={key: mean(result.jackknife, key) for key in shared},
        reasons={key: reason for key in shared if (reason := first_of(result.reasons, key))},
        trials={key: result.trials[first + key] for key in shared if first + key in result.trials},
        patients={key: result.patients[first + key] for key in shared if first + key in result.patients},
        without_interval={key: reason for key in shared if (reason := first_of(result.without_interval, key))},
    )


def seeds_apart(models: Iterable[Model]) -> dict[int, list[Model]]:
    """Models by seed, ensembles left out."""
    by_seed: dict[int, list[Model]] = {}
    for model in models:
        if model.seed != ENSEMBLE:
            by_seed.setdefault(model.seed, []).append(model)
    return by_seed
