"""Two models on the same scans: difference of each figure on the same resamples of patients, p-value, effect, Holm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scangen_bundle.statistics.bootstrap import ROUNDING, SAME, Interval, PatientBootstrap, Statistic, interval, varies


class Comparison(NamedTuple):
    """A figure of two models.

    Attributes:
        first, second: the values.
        difference: second - first.
        interval: of the difference.
        standard_error: sd of the resampled differences.
        p_value: two-sided, of no difference; at least 2 / (resamples + 1).
        effect: difference / standard_error.
        reason: why something is undefined, "" where nothing is.
        caution: what the interval leaves out, "" where nothing is known.
    """

    first: float
    second: float
    difference: float
    interval: Interval
    standard_error: float
    p_value: float
    effect: float
    reason: str = ""
    caution: str = ""


class _Both:
    """The figures of both models in one statistic, so that they share every resample."""

    def __init__(self, first: Statistic, second: Statistic) -> None:
        self.parts = {"0:": first, "1:": second}
        self.reasons = {
            prefix + key: reason for prefix, part in self.parts.items() for key, reason in part.reasons.items()
        }

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {prefix + key: v for prefix, part in self.parts.items() for key, v in part(weights).items()}


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
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
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
        pairs: for each family of figures the first and the second model's.
        bootstrap: of the patients that both models share.
        scans: see `PatientBootstrap.run`.
        confidence: of the intervals.
        unlike: figures that are not of the same scans with both models, and why; their difference is undefined.
    """
    unlike = unlike or {}
    result = bootstrap.run([_Both(first, second) for first, second in pairs], scans)
    comparisons = {}
    for key in (key[2:] for key in result.observed if key.startswith("0:")):
        first, second = result.observed["0:" + key], result.observed["1:" + key]
        difference = float("nan") if key in unlike else second - first
        samples = result.samples["1:" + key] - result.samples["0:" + key]
        left_out = result.jackknife["1:" + key] - result.jackknife["0:" + key]
        found = interval(difference, samples, left_out, result.groups, confidence)
        undefined = result.reasons.get("0:" + key) or result.reasons.get("1:" + key)
        reason = undefined or unlike.get(key) or found.reason
        known = samples[np.isfinite(samples)]
        error = p_value = effect = float("nan")
        if reason in ("", SAME):  # where nothing varies there still is a p-value
            error, p_value = float(known.std(ddof=1)), bootstrap_p_value(known)
        if not reason:
            effect = difference / error
        still = [name for name, part in (("first", "0:"), ("second", "1:")) if not varies(result.samples[part + key])]
        caution = (
            f"the {still[0]} model's figure is the same in every resample" if not reason and len(still) == 1 else ""
        )
        comparisons[key] = Comparison(first, second, difference, found, error, p_value, effect, reason, caution)
    return comparisons


def holm_by_figure(comparisons: Mapping[str, Comparison], members: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Holm's p-values within each figure over its scanners or pairs.

    Args:
        comparisons: by key.
        members: by figure, the keys that are one family of tests.
    """
    adjusted = {}
    for keys in members.values():
        values = holm([comparisons[key].p_value for key in keys])
        adjusted.update({key: float(value) for key, value in zip(keys, values, strict=True)})
    return adjusted
