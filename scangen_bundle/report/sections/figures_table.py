"""Tables of measures: a row per scanner, per pair of scanners or per measure."""

from __future__ import annotations

from collections.abc import Sequence

from scangen_bundle.report.estimates import cell, estimate
from scangen_bundle.report.page import Cell, Column, Row, Table, slug
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.words import AGGREGATES, has_scanners, measures_of
from scangen_bundle.statistics.interval import FEW_PATIENTS

INTERVALS = (
    f"Second line: 95 % confidence interval of resampled patients (BCa with fewer than {FEW_PATIENTS} patients, else "
    "percentile)."
)


def group_tables(context: Context, group: str, caption: str, notes: Sequence[str] = ()) -> list[Table]:
    """The tables of a group's measures: one of the values per scanner, one of the values that have no scanner.

    Args:
        context: gives the metrics.
        group: of the measures.
        caption: of the table per scanner.
        notes: below it.
    """
    names = measures_of(context.metrics, group)
    per_scanner = [name for name in names if has_scanners(context.metrics, name)]
    overall = [name for name in names if name in context.metrics["figures"]]
    tables = []
    if per_scanner:
        key = f"{slug(group)}-figures"
        tables.append(figures_table(context, key, caption, per_scanner, scanner_rows(context), [INTERVALS, *notes]))
    if overall:
        key = f"{slug(group)}-overall" if per_scanner else f"{slug(group)}-figures"
        tables.append(overall_table(context, key, group, overall))
    return tables


def overall_table(context: Context, key: str, group: str, names: Sequence[str]) -> Table:
    """A row per measure with its value and what it means."""
    definitions = context.metrics["definitions"]
    rows = []
    for name in names:
        value = cell(estimate(context.metrics, name))
        rows.append(Row([Cell(definitions[name]["title"]), value, Cell(definitions[name]["help"], kind="wide")]))
    caption = "Agreement of the scans of one specimen" if group == "agreement" else f"{group.capitalize()}, overall"
    return Table(key, caption, [Column("metric"), Column("value and 95 % CI"), Column("meaning")], rows)


def figures_table(
    context: Context,
    key: str,
    caption: str,
    names: Sequence[str],
    rows: Sequence[tuple[str, str]],
    notes: Sequence[str] = (),
    member: str = "scanner",
) -> Table:
    """A table of `<measure>/<row>`.

    Args:
        context: gives the metrics.
        key: of the table.
        caption: of the table.
        names: columns, by the measure's key.
        rows: (scope in the key, title); an aggregate that no measure has is left out.
        notes: below the table.
        member: what a row is.
    """
    figures = context.metrics["figures"]
    lines = []
    for scope, title in rows:
        is_aggregate = scope in AGGREGATES
        if is_aggregate and not any(f"{name}/{scope}" in figures for name in names):
            continue
        cells = [Cell(title)]
        for name in names:
            missing = is_aggregate and f"{name}/{scope}" not in figures
            cells.append(Cell("") if missing else cell(estimate(context.metrics, f"{name}/{scope}")))
        lines.append(Row(cells, is_aggregate))
    columns = [Column(member), *(column(context, name) for name in names)]
    return Table(key, caption, columns, lines, notes)


def column(context: Context, name: str) -> Column:
    """Head of a measure's column: its title, and what it means on hovering."""
    words = context.metrics["definitions"][name]
    return Column(words["title"], words["help"])


def scanner_rows(context: Context) -> list[tuple[str, str]]:
    """Every scanner, then the aggregates."""
    return [*((scanner, context.name(scanner)) for scanner in context.scanners), *AGGREGATES.items()]
