"""What a page of the report is made of: sections of tables and groups of figures. The template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from scangen_bundle.report.style import to_svg


@dataclass(frozen=True)
class Link:
    """A file next to the page (`href`), or a command that a click copies (`command`)."""

    text: str
    href: str = ""
    command: str = ""


@dataclass(frozen=True)
class Dot:
    """A mark on a line from 0 to 1: where, what it says on hovering, and a CSS class (`high`, `low`)."""

    position: float
    title: str
    kind: str = ""


@dataclass(frozen=True)
class Strip:
    """Scores on a line from 0 to 1, and the threshold where there is one."""

    dots: Sequence[Dot]
    threshold: float | None = None


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: first line.
        number: to sort by.
        detail: second line.
        kind: CSS class (`undefined`, `wide`, `high`, `low`).
        picture: a picture as a `data:` address.
        links: files and commands.
        strip: scores on a line.
    """

    text: str
    number: float | None = None
    detail: str = ""
    kind: str = ""
    picture: str = ""
    links: Sequence[Link] = ()
    strip: Strip | None = None


@dataclass(frozen=True)
class Row:
    """A row; one that sums up others stays at the foot when the table is sorted."""

    cells: Sequence[Cell]
    summary: bool = False


@dataclass(frozen=True)
class Column:
    name: str
    help: str = ""


@dataclass(frozen=True)
class Table:
    """A table; one that is too wide for the page is drawn in parts, see `fit`.

    Attributes:
        key: the element's id, unique in the page.
        caption: above it.
        columns: heads; the first column names the row.
        rows: as many cells as columns.
        notes: below it.
        searchable: rows can be searched by their text.
        whole: of a part, the key of the table; the parts' rows have the same order.
    """

    key: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    searchable: bool = False
    whole: str = ""
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class Panel:
    """One figure with its own caption and downloads, or the reason why there is none.

    Attributes:
        key: the element's id, unique in the page.
        title: caption.
        description: what the figure shows, for a screen reader.
        svg: the figure; empty where it is undefined.
        reason: why it is undefined.
        figure: what `svg` was made of, for other formats.
    """

    key: str
    title: str
    description: str
    svg: str = ""
    reason: str = ""
    figure: Figure | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Group:
    title: str
    panels: Sequence[Panel]
    text: str = ""
    kind: str = field(default="panels", init=False)


@dataclass(frozen=True)
class Findings:
    """What the figures say, a sentence each."""

    sentences: Sequence[str]
    kind: str = field(default="findings", init=False)


@dataclass(frozen=True)
class Alert:
    """A sentence that nobody may overlook."""

    text: str
    kind: str = field(default="alert", init=False)


Block = Table | Group | Findings | Alert


@dataclass(frozen=True)
class Section:
    """A part of the page that folds; `folded`: at first only its heading is seen."""

    key: str
    title: str
    blocks: Sequence[Block]
    text: Sequence[str] = ()
    folded: bool = False


def drawn(key: str, title: str, description: str, figure: Figure) -> Panel:
    """A panel of a matplotlib figure."""
    return Panel(key, title, description, svg=to_svg(figure, key), figure=figure)


def undefined(key: str, title: str, reason: str) -> Panel:
    """A panel that says why there is no figure."""
    return Panel(key, title, title, reason=reason)


def slug(*parts: object) -> str:
    """An id from free text: letters, digits and single hyphens."""
    text = "-".join(str(part) for part in parts).lower()
    return "-".join("".join(c if c.isalnum() and c.isascii() else " " for c in text).split())


def unique_keys(names: Sequence[str]) -> dict[str, str]:
    """An id for each name, distinct also where two names differ only in signs."""
    keys: dict[str, str] = {}
    for i, name in enumerate(names):
        key = slug(name)
        keys[name] = key if key and key not in keys.values() else f"{key or 'x'}-{i}"
    return keys


def count_cell(value: int) -> Cell:
    return Cell(f"{value:,}", value)
