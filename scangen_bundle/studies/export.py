"""The tables of a study for other programs: JSON with everything, CSV, and LaTeX of the leaderboards."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.files import write_atomically
from scangen_bundle.report.latex import escape
from scangen_bundle.report.page import slug
from scangen_bundle.statistics.estimate import Estimate, number_or_none
from scangen_bundle.studies.outcome import SchemeOutcome, StudyOutcome
from scangen_bundle.studies.table import Difference, Row
from scangen_bundle.studies.words import HEADLINE, words_of

SCHEMA_VERSION = 1
RESULTS, TABLE = "results.json", "table.csv"
TABLE_COLUMNS = (
    "scheme",
    "row",
    "measure",
    "value",
    "low",
    "high",
    "sd_of_seeds",
    "reference",
    "difference",
    "difference_low",
    "difference_high",
    "p_value",
    "p_holm",
    "sd_of_seeds_of_difference",
    "clear",
)


def write_tables(folder: Path, outcome: StudyOutcome) -> None:
    """Write `results.json`, `table.csv` (a line per scheme, row, measure and reference), and a `.tex` file per scheme."""
    _write(folder / RESULTS, json.dumps(to_json(outcome), indent=1, allow_nan=False))
    _write(folder / TABLE, table_csv(outcome))
    for result in outcome.schemes:
        if result.rows:
            _write(folder / f"leaderboard_{slug(result.scheme.name)}.tex", latex_table(result))


def _write(path: Path, text: str) -> None:
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def to_json(outcome: StudyOutcome) -> dict[str, Any]:
    """Everything but the cost of training, which differs between two runs of the same study."""
    return {
        "schema_version": SCHEMA_VERSION,
        "notice": RESEARCH_USE_ONLY,
        "choose_by": outcome.choose_by,
        "settings": dict(outcome.settings),
        "cells": outcome.cells,
        "done": outcome.done,
        "schemes": [_scheme_json(result) for result in outcome.schemes],
    }


def _scheme_json(result: SchemeOutcome) -> dict[str, Any]:
    return {
        **json.loads(json.dumps(asdict(result.scheme))),
        "advice": asdict(result.advice),
        "left_out": dict(result.left_out),
        "failed": dict(result.failed),
        "rows": [_row_json(row) for row in result.rows],
        "by_rule": {rule: [_row_json(row) for row in rows] for rule, rows in result.by_rule.items()},
    }


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "method": row.method,
        "label": row.label,
        "is_ensemble": row.is_ensemble,
        "seeds": row.seeds,
        "missing": row.missing,
        "estimates": _estimates_json(row.estimates),
        "sd_of_seeds": dict(row.seed_sd),
        "against": {name: _differences_json(found) for name, found in row.against.items()},
        "by_hold_out": {", ".join(names): _estimates_json(found) for names, found in row.by_hold_out.items()},
    }


def _estimates_json(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {key: estimate.to_json() for key, estimate in estimates.items()}


def _differences_json(differences: Mapping[str, Difference]) -> dict[str, Any]:
    return {
        key: {
            **found.comparison.to_json(),
            "p_holm": number_or_none(found.p_holm),
            "sd_of_seeds": number_or_none(found.seed_sd),
            "clear": found.is_clear,
        }
        for key, found in differences.items()
    }


def table_csv(outcome: StudyOutcome) -> str:
    """All values of all rows as CSV; a value that is compared with no other row has a line without a reference."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TABLE_COLUMNS)
    for result in outcome.schemes:
        for row in result.rows:
            for line in _lines(row):
                writer.writerow([result.scheme.name, *line])
    return text.getvalue()


def _lines(row: Row) -> Iterator[list[Any]]:
    for key, estimate in row.estimates.items():
        begin = [row.label, key, *_numbers(estimate.value, estimate.low, estimate.high, row.seed_sd.get(key, math.nan))]
        differences = {name: found[key] for name, found in row.against.items() if key in found}
        if not differences:
            yield [*begin, *[""] * 8]
        for name, found in differences.items():
            interval = found.comparison.difference
            values = _numbers(interval.value, interval.low, interval.high, found.comparison.p_value)
            yield [*begin, name, *values, *_numbers(found.p_holm, found.seed_sd), int(found.is_clear)]


def _numbers(*values: float) -> list[str]:
    return [f"{value:.6g}" if math.isfinite(value) else "" for value in values]


def columns_of(rows: Sequence[Row]) -> list[str]:
    """The headline columns that any row has a value for."""
    return [key for key in HEADLINE if any(key in row.estimates and row.estimates[key].has_value for row in rows)]


def latex_table(result: SchemeOutcome) -> str:
    """A leaderboard for a paper (packages booktabs and nothing else); each cell has the value and its interval."""
    columns = columns_of(result.rows)
    heads = [escape(words_of(key).title) for key in columns]
    lines = [
        f"% {result.scheme.name}. {RESEARCH_USE_ONLY}",
        "\\begin{tabular}{l" + "r" * len(columns) + "}",
        "\\toprule",
        " & ".join(["Method", *heads]) + " \\\\",
        "\\midrule",
    ]
    for row in result.rows:
        cells = [_latex_cell(row.estimates.get(key, Estimate())) for key in columns]
        lines.append(" & ".join([escape(row.label), *cells]) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _latex_cell(estimate: Estimate) -> str:
    if not estimate.has_value:
        return "--"
    value = f"{estimate.value:.3f}"
    return f"{value} [{estimate.low:.3f}, {estimate.high:.3f}]" if estimate.has_interval else value
