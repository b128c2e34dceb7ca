"""Chosen measures of a table of predictions as one statistic of patients' weights."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_measure import PredictionMeasure, find_measure, prediction_measures
from scangen_bundle.statistics.bootstrap import Statistic, merged

logger = logging.getLogger(__name__)


class PredictionStatistic:
    """Every value of some measures by key; a measure that fails is undefined with its reason, the others go on.

    Args:
        data: the predictions.
        names: keys of the measures; None: all that are registered.

    Attributes:
        data: the predictions.
        measures: by key, those that apply to these data.
        reasons, trials, patients, without_interval: see `statistics.bootstrap.Statistic`.
        members: scanners that enter a value, by key; all of them where a key is missing.
    """

    def __init__(self, data: PredictionData, names: Iterable[str] | None = None) -> None:
        self.data = data
        chosen = prediction_measures() if names is None else {name: find_measure(name) for name in names}
        self.measures = {
            key: measure
            for key, measure in chosen.items()
            if data.predictions.classes == 2 or not measure.two_classes_only
        }
        self._statistics = [_make(measure, data) for measure in self.measures.values()]
        self.reasons: dict[str, str] = merged(self._statistics, "reasons")
        self.trials: dict[str, int] = merged(self._statistics, "trials")
        self.patients: dict[str, int] = merged(self._statistics, "patients")
        self.members: dict[str, list[str]] = merged(self._statistics, "members")
        self.without_interval = merged(self._statistics, "without_interval")

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Values [R] by key for integer weights [R, P]."""
        values: dict[str, np.ndarray] = {}
        for statistic in self._statistics:
            values.update(statistic(weights))
        return values

    def observed(self) -> dict[str, float]:
        """Values of the observed data by key."""
        everyone = np.ones((1, self.data.sums.patients), dtype=np.int32)
        return {key: float(value[0]) for key, value in self(everyone).items()}

    def aggregate_members(self) -> dict[str, list[str]]:
        """Scanners, or pairs of them, that each aggregate is over, by key."""
        members: dict[str, list[str]] = {}
        for statistic in self._statistics:
            aggregate = getattr(statistic, "aggregate", None)
            if aggregate:
                members.update(aggregate.members)
        return members


class _Failed:
    """The statistic of a measure that raised an error."""

    def __init__(self, measure: PredictionMeasure, reason: str) -> None:
        self.key, self.reasons = measure.key, {measure.key: reason}

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {self.key: np.full(len(weights), np.nan)}


class _Guarded:
    """A measure's statistic whose keys are those of the observed data, and which does not raise for a resample."""

    def __init__(self, measure: PredictionMeasure, statistic: Statistic, patients: int) -> None:
        self.key, self._statistic = measure.key, statistic
        self._observed = statistic(np.ones((1, patients), dtype=np.int32))
        for key in self._observed:
            if key.partition("/")[0] != measure.key:
                raise ValueError(f"its key is {key!r}, expected {measure.key!r} or '{measure.key}/<scope>'")
        self.reasons = dict(statistic.reasons)
        for name in ("trials", "patients", "members", "aggregate"):
            setattr(self, name, getattr(statistic, name, {}))
        self.without_interval = dict(getattr(statistic, "without_interval", {}))
        if measure.without_interval:
            self.without_interval.update(dict.fromkeys(self._observed, measure.without_interval))

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        try:
            return self._statistic(weights)
        except Exception:
            logger.exception("the measure %s failed on resamples; it is undefined there", self.key)
            is_observed = (weights == 1).all(axis=1)
            return {key: np.where(is_observed, value, np.nan) for key, value in self._observed.items()}


def _make(measure: PredictionMeasure, data: PredictionData) -> Statistic:
    assert measure.make is not None  # the decorator sets it
    try:
        return _Guarded(measure, measure.make(data), data.sums.patients)
    except Exception as error:
        logger.warning("the measure %s failed: %s", measure.key, error, exc_info=True)
        return _Failed(measure, f"the measure failed: {type(error).__name__}: {error}")


def unlike_aggregates(first: PredictionStatistic, second: PredictionStatistic) -> dict[str, str]:
    """Why two models' aggregates cannot be compared, by key: a value is undefined on other scanners (or pairs of them)."""
    others = second.aggregate_members()
    reasons = {}
    for key, members in first.aggregate_members().items():
        if members != others.get(key, members):
            left = ", ".join(members) or "none"
            right = ", ".join(others[key]) or "none"
            reasons[key] = f"the first model's is over {left}, the second's over {right}"
    return reasons
