"""How estimates are written in pages and tables, and how they are read from what an evaluation wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scangen_bundle.report.page import Cell
from scangen_bundle.statistics.compare import Comparison
from scangen_bundle.statistics.estimate import Estimate, undefined
from scangen_bundle.statistics.exact import EXACT


def estimate(metrics: Mapping[str, Any], key: str) -> Estimate:
    """The value of an evaluation named `key`, such as `auroc/mean`; one that was not computed says so."""
    entry = metrics["figures"].get(key)
    return undefined("not computed") if entry is None else Estimate.from_json(entry)


def comparison_of(comparison: Mapping[str, Any], key: str) -> Comparison:
    """The value of two models named `key`; one that was not computed says so."""
    entry = comparison["figures"].get(key)
    if entry is None:
        nan = float("nan")
        return Comparison(nan, nan, undefined("not computed"), nan, nan, nan)
    return Comparison.from_json(entry)


def text(value: Estimate, digits: int = 3) -> str:
    """Such as `0.912 (0.874–0.941)`, or `undefined`."""
    if not value.has_value:
        return "undefined"
    number = fixed(value.value, digits)
    return f"{number} ({interval_text(value, digits)})" if value.has_interval else number


def interval_text(value: Estimate, digits: int = 3) -> str:
    """Such as `0.874–0.941`, or `0.692–1.000, exact`."""
    joint = "–" if round(value.low, digits) >= 0 else " to "
    method = f", {EXACT}" if value.method == EXACT else ""
    return f"{fixed(value.low, digits)}{joint}{fixed(value.high, digits)}{method}"


def cell(value: Estimate, digits: int = 3) -> Cell:
    """A table's cell with the interval, or the reason why there is none, on the second line."""
    if not value.has_value:
        return Cell("undefined", None, value.reason, "undefined")
    detail = value.interval_reason and f"no CI: {value.interval_reason}"
    if value.has_interval:
        detail = interval_text(value, digits)
    return Cell(fixed(value.value, digits), value.value, detail)


def fixed(value: float, digits: int) -> str:
    """With so many digits, and no minus before a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}"
