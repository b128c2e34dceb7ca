"""Tables of figures: a row per scanner or pair, a column per figure."""

from __future__ import annotations

from collections.abc import Sequence

from scangen_bundle.report.estimates import estimate
from scangen_bundle.report.page import Cell, Column, Row, Table
from scangen_bundle.report.sections.context import Context

AGGREGATES = {
    "mean": "mean of scanners",
    "worst": "worst scanner",
    "range": "range",
    "mean_seen": "mean, seen in training",
    "mean_unseen": "mean, unseen *",
}


def figures_table(
    context: Context,
    key: str,
    caption: str,
    figures: Sequence[str],
    rows: Sequence[tuple[str, str]],
    notes: Sequence[str] = (),
    what: str = "scanner",
) -> Table:
    """A table of `<figure>/<row>`.

    Args:
        context: gives the metrics.
        key: of the table.
        caption: of the table.
        figures: columns, by the figure's name in the metrics.
        rows: (part of the key after the slash, shown name); an aggregate that no figure has is left out.
        notes: below the table.
        what: a row is.
    """
    known = context.metrics["figures"]
    shown = []
    for name, title in rows:
        aggregate = name in AGGREGATES
        if aggregate and not any(f"{figure}/{name}" in known for figure in figures):
            continue
        cells = [
            Cell("")
            if aggregate and f"{figure}/{name}" not in known
            else estimate(context.metrics, f"{figure}/{name}").cell()
            for figure in figures
        ]
        shown.append(Row([Cell(title), *cells], aggregate))
    return Table(key, caption, [Column(what), *(column(context, name) for name in figures)], shown, notes)


def column(context: Context, name: str) -> Column:
    """Head of a figure's column: its title, and what it means on hovering."""
    definition = context.metrics["definitions"][name]
    return Column(definition["title"], definition["meaning"])


def scanner_rows(context: Context) -> list[tuple[str, str]]:
    """Every scanner, then the aggregates."""
    return [*((scanner, context.name(scanner)) for scanner in context.scanners), *AGGREGATES.items()]
