"""For a paper: tables as LaTeX (package booktabs) and figures as PDF."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.files import write_atomically
from scangen_bundle.report.page import Cell, Group, Panel, Section, Table
from scangen_bundle.report.style import PARAMETERS, without_formulas

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "µ": r"$\mu$",
    "²": r"$^2$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\N{NO-BREAK SPACE}": "~",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def escape(text: str) -> str:
    """The text as LaTeX shows it."""
    return re.sub("|".join(map(re.escape, SPECIAL)), lambda sign: SPECIAL[sign[0]], text)


def table_latex(table: Table) -> str:
    """The table as a `table` environment; a cell's second line is set small beside the first."""
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{escape(table.caption)}}}", rf"\label{{tab:{table.key}}}"]
    lines += [rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}", r"\toprule"]
    lines += [_row([escape(column.name) for column in table.columns]), r"\midrule"]
    lines += [_row([_cell(cell) for cell in row.cells]) for row in table.rows if not row.summary]
    summaries = [_row([_cell(cell) for cell in row.cells]) for row in table.rows if row.summary]
    lines += [r"\midrule", *summaries] if summaries else []
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\small {escape(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}", ""])


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(cell: Cell) -> str:
    if not cell.detail:
        return escape(cell.text)
    return rf"{escape(cell.text)} {{\small {escape(cell.detail)}}}".strip()


def write_paper_files(sections: Iterable[Section], folder: str | os.PathLike[str]) -> list[Path]:
    """Write `<key>.pdf` of each figure, `<key>.tex` of each table, and `figures.tex` with an environment per figure.

    Returns:
        The files.

    Raises:
        InputError: the folder cannot be written.
    """
    folder, written, figures = Path(folder), [], [f"% {RESEARCH_USE_ONLY}"]
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Table):
                written.append(_write(folder / f"{block.key}.tex", table_latex(block).encode()))
            for panel in block.panels if isinstance(block, Group) else ():
                if panel.figure is not None:
                    written.append(_write_pdf(folder / f"{panel.key}.pdf", panel.figure))
                    figures.append(_figure_latex(panel))
    written.append(_write(folder / "figures.tex", "\n".join(figures).encode()))
    return written


def _figure_latex(panel: Panel) -> str:
    return "\n".join(
        [
            r"\begin{figure}",
            r"\centering",
            rf"\includegraphics{{{panel.key}.pdf}}",
            rf"\caption{{{escape(panel.title)}}}",
            rf"\label{{fig:{panel.key}}}",
            r"\end{figure}",
            "",
        ]
    )


def _write(path: Path, content: bytes) -> Path:
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)
    return path


def _write_pdf(path: Path, figure: Figure) -> Path:
    FigureCanvasPdf(figure)
    without_formulas(figure)
    with write_atomically(path) as temporary, rc_context({**PARAMETERS, "pdf.fonttype": 42}):
        figure.savefig(temporary, format="pdf", metadata={"CreationDate": None})
    return path
