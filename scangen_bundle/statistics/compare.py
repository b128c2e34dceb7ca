"""Two models on the same scans: difference of each value on the same resamples of patients, p-value, effect, Holm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from scangen_bundle.statistics.bootstrap import PatientBootstrap, Resampled, Statistic
from scangen_bundle.statistics.estimate import NAN, Estimate, number_or_none
from scangen_bundle.statistics.interval import ROUNDING, SAME, interval, varies


@dataclass(frozen=True)
class Comparison:
    """A value of two models.

    Attributes:
        first, second: the values.
        difference: second - first with its interval; its `reason` says why the difference, or anything else here, is
            undefined, its `note` what the interval leaves out.
        standard_error: sd of the resampled differences.
        p_value: two-sided, of no difference; at least 2 / (resamples + 1).
        effect: difference / standard_error.
    """

    first: float
    second: float
    difference: Estimate
    standard_error: float
    p_value: float
    effect: float

    def to_json(self) -> dict[str, Any]:
        """Every attribute by its name, NaN as None."""
        return {field.name: _to_json(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Comparison:
        """The comparison that `to_json` wrote; other keys are ignored."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = entry[field.name]
            values[field.name] = NAN if value is None else value
        values["difference"] = Estimate.from_json(entry["difference"])
        return cls(**values)


def _to_json(value: float | Estimate) -> Any:
    if isinstance(value, Estimate):
        return value.to_json()
    return number_or_none(value)


class _Both:
    """The values of both models in one statistic, so that they share every resample."""

    def __init__(self, first: Statistic, second: Statistic) -> None:
        self._models = first, second
        self.reasons = self._merged("reasons")
        self.patients = self._merged("patients")
        self.without_interval = self._merged("without_interval")

    def _merged(self, name: str) -> dict[str, Any]:
        return _prefixed(*(getattr(model, name, {}) for model in self._models))

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return _prefixed(*(model(weights) for model in self._models))


def _prefixed(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both models' values in one mapping: `0:<key>` of the first, `1:<key>` of the second."""
    values = {f"0:{key}": value for key, value in first.items()}
    values.update({f"1:{key}": value for key, value in second.items()})
    return values


def bootstrap_p_value(differences: np.ndarray) -> float:
    """Two-sided p-value of "no difference" from resampled differences [R] by inversion of the percentile interval.

    2 min(#(d <= 0) + 1, #(d >= 0) + 1) / (R + 1), at most 1 (A. Davison, D. Hinkley, 1997, sections 4.4 and 5.4).
    """
    smaller = min(int((differences <= ROUNDING).sum()), int((differences >= -ROUNDING).sum()))
    return min(1.0, 2 * (smaller + 1) / (len(differences) + 1))


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values [K]; NaN stay NaN and do not count as tests (S. Holm, Scand. J. Stat. 6, 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * factors))
    return adjusted


def compare_statistics(
    pairs: Sequence[tuple[Statistic, Statistic]],
    bootstrap: PatientBootstrap,
    scans: int,
    confidence: float = 0.95,
    unlike: Mapping[str, str] | None = None,
) -> dict[str, Comparison]:
    """Compare two models' statistics, which must have the same keys, on the same resamples.

    Args:
        pairs: the first and the second model's statistics.
        bootstrap: of the patients that both models share.
        scans: see `PatientBootstrap.run`.
        confidence: of the intervals.
        unlike: values that are not of the same scans with both models, and why; their difference is undefined.
    """
    result = bootstrap.run([_Both(first, second) for first, second in pairs], scans)
    unlike = unlike or {}
    comparisons = {}
    for prefixed in result.observed:
        if prefixed.startswith("0:"):
            key = prefixed.removeprefix("0:")
            comparisons[key] = _compare(result, key, confidence, unlike.get(key, ""))
    return comparisons


def compare_resampled(first: Resampled, second: Resampled, confidence: float = 0.95) -> dict[str, Comparison]:
    """Second minus first of the values that both have, which were computed on the same resamples.

    Args:
        first, second: of the same patients.
        confidence: of the intervals.
    """
    joined: dict[str, Any] = {}
    for name in ("observed", "samples", "jackknife", "reasons", "trials", "patients", "without_interval"):
        values = {f"0:{key}": value for key, value in getattr(first, name).items()}
        values.update({f"1:{key}": value for key, value in getattr(second, name).items()})
        joined[name] = values
    result = replace(first, **joined)
    return {key: _compare(result, key, confidence, "") for key in first.observed if key in second.observed}


def _compare(result: Resampled, key: str, confidence: float, unlike: str) -> Comparison:
    first, second = f"0:{key}", f"1:{key}"
    samples = result.samples[second] - result.samples[first]
    left_out = result.jackknife[second] - result.jackknife[first]
    value = NAN if unlike else result.observed[second] - result.observed[first]
    patients = result.patients.get(first, result.all_patients)
    difference = interval(value, samples, left_out, result.groups, confidence, patients=patients)
    undefined = result.reasons.get(first) or result.reasons.get(second) or unlike
    without = "" if undefined else result.without_interval.get(first, "")
    if without:
        difference = Estimate(value, patients=patients, interval_reason=without)
    error = p_value = effect = NAN
    missing = "" if difference.has_interval else difference.interval_reason
    if not undefined and missing in ("", SAME):  # where nothing varies there still is a p-value
        kept = samples[np.isfinite(samples)]
        error, p_value = float(kept.std(ddof=1)), bootstrap_p_value(kept)
        effect = NAN if missing else value / error
    note = "" if undefined or missing else _caution(result, first, second)
    difference = replace(difference, reason=undefined, note=note)
    return Comparison(result.observed[first], result.observed[second], difference, error, p_value, effect)


def _caution(result: Resampled, first: str, second: str) -> str:
    """What the interval of a difference leaves out where one model's value never varies."""
    first_varies = varies(result.samples[first])
    second_varies = varies(result.samples[second])
    if first_varies == second_varies:
        return ""
    steady = "second" if first_varies else "first"
    return f"the {steady} model's value is the same in every resample"
