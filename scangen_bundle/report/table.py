"""The headline table: one row per training, AUROC of each scanner, agreement between scanners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scangen_bundle.report.estimates import Estimate, estimate


def headline_rows(results: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, str], dict[str, list[Estimate]]]:
    """Column titles by the figure's key, and each training's estimates in their order.

    Scanners that some training did not know come last, with an asterisk.
    """
    unseen = {name for metrics in results.values() for name in metrics["settings"]["unseen_scanners"]}
    scanners = {name for metrics in results.values() for name in metrics["cohort"]["scanners"]}
    columns = {
        f"auroc/{name}": f"{name} *" if name in unseen else name
        for name in sorted(scanners, key=lambda name: (name in unseen, name))
    }
    columns |= {"auroc/mean": "mean AUROC", "auroc/worst": "worst scanner", "cov": "CoV", "flip_rate": "flip rate"}
    return columns, {name: [estimate(metrics, key) for key in columns] for name, metrics in results.items()}


def headline_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The table as text for a terminal.

    Args:
        results: content of `metrics.json` by the training's name.
    """
    columns, rows = headline_rows(results)
    lines = [["", *columns.values()]]
    for name, estimates in rows.items():
        lines.append([name, *(_value(item) for item in estimates)])
        lines.append(["", *(_interval(item) for item in estimates)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    ]
    rule = "-" * max(map(len, text))
    notes = ["AUROC per scanner with 95 % confidence intervals (patients resampled)."]
    if any(title.endswith(" *") for title in columns.values()):
        fitted = any(metrics["settings"].get("fitted_on_held_out") for metrics in results.values())
        but = ", though some methods were fitted on training patients' scans of it" if fitted else ""
        notes.append(f"* not seen in training{but}")
    if any(item.method for estimates in rows.values() for item in estimates):
        notes += [
            "# exact: the figure is the same in every resample (perfect separation, or no or every specimen flips)"
        ]
    notes += [
        f"{name}, {title}: undefined, {item.reason}"
        for name, estimates in rows.items()
        for title, item in zip(columns.values(), estimates, strict=True)
        if item.reason
    ]
    return "\n".join([text[0], rule, *text[1:], rule, *notes])


def _value(item: Estimate) -> str:
    return f"{item.value:.3f}" if item.value == item.value else "undefined"


def _interval(item: Estimate) -> str:
    return replace(item, method="").interval() + (" #" if item.method else "") if item.low == item.low else ""
