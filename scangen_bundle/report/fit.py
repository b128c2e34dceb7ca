"""Tables that are too wide for the page are split: each part repeats the column that names the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scangen_bundle.report.page import Block, Cell, Column, Section, Table

WIDTH = 930  # px that a table has beside the contents list of a page of 1280 px

CHARACTER, SMALL_CHARACTER, PADDING = 8.2, 7.6, 22  # px
LONGEST_DETAIL, WIDE_CELL, SORT_MARK = 154, 260, 20
PICTURE, STRIP = 130, 170


def fitted(section: Section, width: float = WIDTH) -> Section:
    """The section with each table that is too wide in parts."""
    blocks: list[Block] = []
    for block in section.blocks:
        if isinstance(block, Table):
            blocks += split(block, width)
        else:
            blocks.append(block)
    return replace(section, blocks=blocks)


def split(table: Table, width: float = WIDTH) -> list[Table]:
    """The table, or its parts of at most `width` px, each with one column more than the first at least."""
    widths = [_width(column, [row.cells[i] for row in table.rows]) for i, column in enumerate(table.columns)]
    if sum(widths) <= width or len(widths) < 3:
        return [table]
    groups: list[list[int]] = [[]]
    for i in range(1, len(widths)):
        taken = widths[0] + sum(widths[j] for j in groups[-1])
        if groups[-1] and taken + widths[i] > width:
            groups.append([])
        groups[-1].append(i)
    return [_part(table, [0, *group], number, len(groups)) for number, group in enumerate(groups)]


def _part(table: Table, columns: Sequence[int], number: int, parts: int) -> Table:
    if parts == 1:
        return table
    is_last = number == parts - 1
    return replace(
        table,
        key=table.key if number == 0 else f"{table.key}-part-{number + 1}",
        caption=f"{table.caption} ({number + 1} of {parts})",
        columns=[table.columns[i] for i in columns],
        rows=[replace(row, cells=[row.cells[i] for i in columns]) for row in table.rows],
        notes=table.notes if is_last else (),
        searchable=table.searchable and number == 0,
        whole=table.key,
    )


def _width(column: Column, cells: Sequence[Cell]) -> float:
    """What a column wants, in px; words of its head go on lines of their own."""
    head = max((len(word) for word in column.name.split()), default=0) * CHARACTER + SORT_MARK
    return PADDING + max([head, *map(_cell_width, cells)])


def _cell_width(cell: Cell) -> float:
    if cell.kind == "wide":
        return WIDE_CELL
    widths = [min(len(cell.text) * CHARACTER, WIDE_CELL), min(len(cell.detail) * SMALL_CHARACTER, LONGEST_DETAIL)]
    if cell.picture:
        widths.append(PICTURE)
    if cell.strip:
        widths.append(STRIP)
    return max(widths)
