"""A number with all that has to be said beside it: interval, baseline, patients, and reasons where it is undefined."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any

NAN = float("nan")


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval; NaN and "" where something is undefined or does not apply.

    Attributes:
        value: the number itself.
        low, high: ends of the interval that pages and tables show.
        bca_low, bca_high: ends of the bias-corrected and accelerated interval.
        defined: share of the resamples in which the value is defined, 0 to 1; the interval is of these.
        baseline: the value that chance, or no effect, gives.
        patients: number of patients that enter the value; 0 where it was not counted.
        method: how the interval was made, "percentile", "BCa" or "exact"; "" where there is none.
        reason: why the value is undefined; "" where it is defined.
        interval_reason: why an interval is undefined; "" where it is defined.
        note: what a reader should know of this value, such as what its interval leaves out.
        scanners: names of the scanners that enter the value.
    """

    value: float = NAN
    low: float = NAN
    high: float = NAN
    bca_low: float = NAN
    bca_high: float = NAN
    defined: float = NAN
    baseline: float = NAN
    patients: int = 0
    method: str = ""
    reason: str = ""
    interval_reason: str = ""
    note: str = ""
    scanners: tuple[str, ...] = ()

    @property
    def has_value(self) -> bool:
        return math.isfinite(self.value)

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    def to_json(self) -> dict[str, Any]:
        """Every attribute by its name; NaN and infinities, and empty texts, become None."""
        return {field.name: _to_json(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Estimate:
        """The estimate that `to_json` wrote.

        Args:
            entry: what is missing in it, or None, takes its default; other keys are ignored.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = entry.get(field.name)
            if value is not None:
                values[field.name] = tuple(value) if field.name == "scanners" else value
        return cls(**values)


def undefined(reason: str) -> Estimate:
    """An estimate without a value, and why."""
    return Estimate(reason=reason, interval_reason=reason)


def number_or_none(value: float) -> float | None:
    """None where the value is not finite, which JSON cannot say."""
    return float(value) if math.isfinite(value) else None


def _to_json(value: float | int | str | tuple[str, ...]) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, str):
        return value or None
    if isinstance(value, Integral):
        return int(value)
    return number_or_none(value)
