"""The headline table: one row per training, what its measures have on each scanner and over scanners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scangen_bundle.report.estimates import estimate, interval_text
from scangen_bundle.report.words import column_title, headline_keys, scanner_measures
from scangen_bundle.statistics.estimate import Estimate
from scangen_bundle.statistics.exact import EXACT

MOST_SCANNERS = 16  # columns of scanners; of more, those with the lowest values of any training are shown

Results = Mapping[str, Mapping[str, Any]]  # content of `metrics.json` by the training's name


def headline_rows(results: Results) -> tuple[dict[str, str], dict[str, list[Estimate]]]:
    """Column titles by the value's key, and each training's estimates in their order.

    Scanners that some training did not know come last, with an asterisk.
    """
    unseen = {name for metrics in results.values() for name in metrics["settings"]["unseen_scanners"]}
    columns: dict[str, str] = {}
    for metrics in results.values():
        for measure in scanner_measures(metrics, "headline"):
            for name in shown_scanners(results, measure):
                columns[f"{measure}/{name}"] = f"{name} *" if name in unseen else name
    for metrics in results.values():
        for key in headline_keys(metrics):
            columns.setdefault(key, column_title(metrics, key))
    return columns, {name: [estimate(metrics, key) for key in columns] for name, metrics in results.items()}


def shown_scanners(results: Results, measure: str) -> list[str]:
    """Scanners of the table, unseen ones last; of very many the ones with the lowest values."""
    unseen = {name for metrics in results.values() for name in metrics["settings"]["unseen_scanners"]}
    scanners = {name for metrics in results.values() for name in metrics["cohort"]["scanners"]}
    if len(scanners) > MOST_SCANNERS:
        lowest = {}
        for name in scanners:
            values = [estimate(metrics, f"{measure}/{name}").value for metrics in results.values()]
            lowest[name] = min((value for value in values if value == value), default=float("inf"))
        scanners = set(sorted(scanners, key=lambda name: (lowest[name], name))[:MOST_SCANNERS])
    return sorted(scanners, key=lambda name: (name in unseen, name))


def headline_table(results: Results) -> str:
    """The table as text for a terminal.

    Args:
        results: content of `metrics.json` by the training's name.
    """
    columns, rows = headline_rows(results)
    lines = [["", *columns.values()]]
    for name, estimates in rows.items():
        lines.append([name, *(_value(item) for item in estimates)])
        lines.append(["", *(_interval(item) for item in estimates)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = []
    for first, *others in lines:
        cells = [other.rjust(width) for other, width in zip(others, widths[1:], strict=True)]
        text.append("  ".join([first.ljust(widths[0]), *cells]))
    rule = "-" * max(map(len, text))
    return "\n".join([text[0], rule, *text[1:], rule, *_notes(results, columns, rows)])


def _notes(results: Results, columns: Mapping[str, str], rows: Mapping[str, list[Estimate]]) -> list[str]:
    notes = ["AUROC per scanner with 95 % confidence intervals (patients resampled)."]
    scanners = {name for metrics in results.values() for name in metrics["cohort"]["scanners"]}
    if len(scanners) > MOST_SCANNERS:
        notes.append(f"Of {len(scanners)} scanners, the {MOST_SCANNERS} with the lowest AUROC are shown.")
    if any(title.endswith(" *") for title in columns.values()):
        fitted = any(metrics["settings"].get("fitted_on_held_out") for metrics in results.values())
        but = ", though some methods were fitted on training patients' scans of it" if fitted else ""
        notes.append(f"* not seen in training{but}")
    if any(item.method == EXACT for estimates in rows.values() for item in estimates):
        notes.append("# exact: the same in every resample (perfect separation, or no or every specimen flips)")
    for name, metrics in results.items():
        if alike := metrics["cohort"].get("alike"):
            notes.append(f"{name}: {alike}")
    for name, estimates in rows.items():
        for title, item in zip(columns.values(), estimates, strict=True):
            if item.reason:
                notes.append(f"{name}, {title}: undefined, {item.reason}")
    return notes


def _value(item: Estimate) -> str:
    return f"{item.value:.3f}" if item.has_value else "undefined"


def _interval(item: Estimate) -> str:
    if not item.has_interval:
        return ""
    return interval_text(replace(item, method="")) + (" #" if item.method == EXACT else "")
