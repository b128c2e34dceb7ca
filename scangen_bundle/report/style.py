"""How every figure looks: colours that colour-blind readers tell apart, a marker per scanner, SVG that follows the page.

Colours are those of M. Okabe and K. Ito, "Color Universal Design" (2008), without their black and yellow, which vanish on
a dark or a white page.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))

# Stand-ins that `to_svg` turns into CSS colours, so that text and axes are legible on a light and on a dark page.
INK, MUTED, GRID = "#1a1c1e", "#5f6670", "#d4d7da"
CSS_COLOURS = {INK: "currentColor", MUTED: f"var(--muted, {MUTED})", GRID: f"var(--grid, {GRID})"}

MANY_POINTS = 700  # more markers than this are drawn as a bitmap, which keeps the page small

PARAMETERS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "text.parse_math": False,  # a user's "$" is no formula
    "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and copied
}


@dataclass(frozen=True)
class ScannerStyle:
    """Colour, marker and dash of one scanner, the same in every figure."""

    colour: str
    marker: str
    dash: str | tuple[float, tuple[float, ...]]
    name: str


def scanner_styles(scanners: Sequence[str], unseen: Sequence[str] = ()) -> dict[str, ScannerStyle]:
    """A style for each scanner; an asterisk marks the scanners that the network was not trained on."""
    return {
        scanner: ScannerStyle(
            COLOURS[i % len(COLOURS)],
            MARKERS[i % len(MARKERS)],
            DASHES[i // len(COLOURS) % len(DASHES)],
            legend_label(f"{scanner} *" if scanner in unseen else scanner),
        )
        for i, scanner in enumerate(scanners)
    }


def legend_label(name: str) -> str:
    """The name as matplotlib shows it in a legend, which leaves out names that begin with an underscore."""
    return f"\N{ZERO WIDTH SPACE}{name}" if name.startswith("_") else name


class PageFigure(Figure):
    """A figure whose points and lines say their names on hovering.

    Attributes:
        names: by an artist's id, a name for each of its points, or one for a whole line.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.names: dict[str, Sequence[str]] = {}

    def name_points(self, artist: Artist, names: Sequence[str]) -> None:
        """Give the points of a scatter, in their order, names; a line takes one."""
        artist.set_gid(f"names-{len(self.names)}")
        self.names[f"names-{len(self.names)}"] = list(names)


def new_axes(width: float = 3.7, height: float = 3.3) -> tuple[PageFigure, Axes]:
    """A figure of `width` x `height` inches with one pair of axes in the report's style."""
    with rc_context(PARAMETERS):
        figure = PageFigure(figsize=(width, height), layout="constrained")
        return figure, figure.add_subplot()


def add_legend(owner: Axes | Figure, **options: Any) -> None:
    """A legend without a box, which would hide points on a dark page."""
    owner.legend(**{"frameon": False, "fontsize": 8, "labelcolor": INK, "handletextpad": 0.4, **options})


def legend_below(figure: Figure) -> None:
    """A legend under the axes, where it covers nothing."""
    add_legend(figure, loc="outside lower center", ncols=2, columnspacing=1.0)


def without_formulas(figure: Figure) -> None:
    """Take every text of the figure as it is written: a user's "$" begins no formula."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)


def to_svg(figure: Figure, key: str) -> str:
    """The figure as an `<svg>` element for a page.

    Args:
        figure: made by `new_axes`.
        key: unique in the page; every id in the element starts with it, so that two figures do not clash.
    """
    buffer = io.StringIO()
    FigureCanvasSVG(figure)
    without_formulas(figure)
    with rc_context({**PARAMETERS, "svg.hashsalt": key}):
        figure.savefig(buffer, format="svg", dpi=120, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    if isinstance(figure, PageFigure):
        svg = _with_names(svg, figure.names)
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{key}-", svg)
    svg = re.sub(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=\s]+", _with_few_colours, svg)
    for stand_in, colour in CSS_COLOURS.items():
        svg = svg.replace(stand_in, colour)
    return svg.strip()


def _with_names(svg: str, names: Mapping[str, Sequence[str]]) -> str:
    """The element with a title in each named point or line; points that are drawn as a bitmap have none."""
    for group, titles in names.items():
        before, start, rest = svg.partition(f'<g id="{group}">')
        if len(titles) == 1:
            svg = f"{before}{start}{_title(titles[0])}{rest}"
            continue
        mine, end, after = rest.partition('<g id="')
        pieces = re.split(r"(<use\b[^>]*)/>", mine)  # text, point, text, point, ..., text
        for number, title in enumerate(titles[: len(pieces) // 2]):
            pieces[2 * number + 1] += f">{_title(title)}</use>"
        svg = before + start + "".join(pieces) + end + after
    return svg


def _title(name: str) -> str:
    return f"<title>{html.escape(name)}</title>"


def _with_few_colours(match: re.Match[str]) -> str:
    """A bitmap of points has a handful of colours; as a palette it takes a quarter of the bytes."""
    image = Image.open(io.BytesIO(base64.b64decode(match[0])))
    buffer = io.BytesIO()
    image.quantize(64, method=Image.Quantize.FASTOCTREE).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
