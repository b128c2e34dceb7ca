"""Statistics with their baselines, and the entries that the results hold of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scangen_bundle.statistics.bootstrap import SAME, PatientBootstrap, Statistic
from scangen_bundle.statistics.exact import EXACT

FEWEST_PATIENTS = 3  # fewer say nothing about other patients
AT = "@"  # `<measure>@<detail>`: the measure on one scanner, or at one number of neighbours


@dataclass(frozen=True)
class Measured:
    """Statistics of patients' weights, and by key: baselines, reasons for what is undefined, notes.

    `exact` are intervals of figures that no resample can move, see `metrics.exact`; they count where none does.
    """

    statistics: list[Statistic]
    baselines: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    exact: dict[str, tuple[float, float]] = field(default_factory=dict)


def entry(
    value: float = math.nan,
    low: float = math.nan,
    high: float = math.nan,
    baseline: float = math.nan,
    reason: str = "",
    interval_reason: str = "",
    note: str = "",
    interval_method: str = "",
) -> dict[str, Any]:
    """A figure as it is written: numbers or None, and why there is none; how the interval was made."""
    numbers = {"value": value, "low": low, "high": high, "baseline": baseline}
    plain = {name: float(number) if math.isfinite(number) else None for name, number in numbers.items()}
    return {
        **plain,
        "reason": reason,
        "interval_reason": interval_reason,
        "interval_method": interval_method,
        "note": note,
    }


def estimate(
    measured: Measured, patient: np.ndarray, resamples: int, seed: int, strata: np.ndarray | None = None
) -> dict[str, dict[str, Any]]:
    """Entries of all figures of some statistics, with bootstrap intervals over patients, and of those that are undefined.

    Args:
        measured: the statistics; their weights are one per patient.
        patient: [N] int64 from 0, the patient of each row that the statistics were made of.
        resamples: of the bootstrap; fewer than `FEWEST_PATIENTS` patients get no interval.
        seed: of the draws.
        strata: [P] stratum of each patient, from which as many are drawn as there are; None: all are one.
    """
    entries = {key: entry(reason=reason) for key, reason in measured.reasons.items()}
    if not measured.statistics:
        return entries
    patients = int(patient.max()) + 1
    enough = patients >= FEWEST_PATIENTS
    strata = np.zeros(patients, np.int64) if strata is None else strata
    bootstrap = PatientBootstrap(strata, resamples if enough else 0, seed, jackknife=False)
    result = bootstrap.run(measured.statistics, len(patient))
    for key, value in result.observed.items():
        interval = result.interval(key)
        if interval.reason == SAME and key in measured.exact:
            low, high = measured.exact[key]
            interval = replace(interval, low=low, high=high, reason="", method=EXACT)
        entries[key] = entry(
            value,
            interval.low,
            interval.high,
            measured.baselines.get(key, measured.baselines.get(key.partition(AT)[0], math.nan)),
            "" if math.isfinite(value) else result.reasons.get(key, "not defined on these data"),
            interval.reason if enough else f"{patients} patients, an interval needs {FEWEST_PATIENTS}",
            measured.notes.get(key, ""),
            interval.method,
        )
    return entries
