"""Reading what `metrics` computed: a figure, or a difference of two models, with its interval and its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scangen_bundle.report.page import Cell


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, NaN where undefined, and the reasons.

    Attributes:
        value, low, high: the figure and its interval.
        reason: why the value is undefined; "" where it is not.
        interval_reason: why the interval is undefined.
        method: how the interval was made, where it is not a bootstrap's; "" where it is.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    reason: str = ""
    interval_reason: str = ""
    method: str = ""

    def text(self, digits: int = 3) -> str:
        """Such as `0.912 (0.874–0.941)`, or `undefined`."""
        if not math.isfinite(self.value):
            return "undefined"
        value = fixed(self.value, digits)
        return f"{value} ({self.interval(digits)})" if math.isfinite(self.low) else value

    def interval(self, digits: int = 3) -> str:
        """Such as `0.874–0.941`, or `0.692–1.000, exact`."""
        joint = "–" if round(self.low, digits) >= 0 else " to "
        method = f", {self.method}" if self.method else ""
        return f"{fixed(self.low, digits)}{joint}{fixed(self.high, digits)}{method}"

    def cell(self, digits: int = 3) -> Cell:
        """With the interval, or the reason why there is none, on the second line."""
        if not math.isfinite(self.value):
            return Cell("undefined", None, self.reason, "undefined")
        if math.isfinite(self.low):
            return Cell(fixed(self.value, digits), self.value, self.interval(digits))
        return Cell(fixed(self.value, digits), self.value, self.interval_reason and f"no CI: {self.interval_reason}")


def fixed(value: float, digits: int) -> str:
    """With so many digits, and no minus before a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def estimate(metrics: Mapping[str, Any], key: str) -> Estimate:
    """The figure of an evaluation or a comparison named `key`, such as `auroc/mean`; one that was not computed says so."""
    entry = metrics["figures"].get(key)
    return Estimate(math.nan, reason="not computed") if entry is None else read_entry(entry)


def read_entry(entry: Mapping[str, Any]) -> Estimate:
    """An entry of `figures`, of which a comparison's has the difference for the value, or of `embedding`."""
    return Estimate(
        _number(entry["value"] if "value" in entry else entry["difference"]),
        _number(entry.get("low")),
        _number(entry.get("high")),
        entry.get("reason") or "",
        entry.get("interval_reason") or "",
        _method(entry.get("interval_method") or entry.get("method") or ""),
    )


def _method(name: str) -> str:
    return "" if name == "bootstrap" else name


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
