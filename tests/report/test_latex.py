"""Tables for a paper are LaTeX that booktabs takes; figures are PDF."""

from scangen_bundle.report.figures import heatmap
from scangen_bundle.report.latex import escape, table_latex, write_paper_files
from scangen_bundle.report.page import Cell, Column, Group, Row, Section, Table, drawn


def test_signs_of_latex_are_escaped_once():
    assert escape("50 % of a_b & {c} \\ ~0.5 µm²") == (
        r"50 \% of a\_b \& \{c\} \textbackslash{} \textasciitilde{}0.5 $\mu$m$^2$"
    )


def test_a_table_is_an_environment_with_its_sums_below_a_rule():
    rows = [Row([Cell("A"), Cell("0.9", detail="0.8–1.0")]), Row([Cell("mean"), Cell("0.9")], summary=True)]
    text = table_latex(Table("auroc", "AUROC, 95 %", [Column("scanner"), Column("value")], rows))
    assert text.splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{AUROC, 95 \%}",
        r"\label{tab:auroc}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"scanner & value \\",
        r"\midrule",
        r"A & 0.9 {\small 0.8--1.0} \\",
        r"\midrule",
        r"mean & 0.9 \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_every_figure_is_a_pdf_and_every_table_a_file(tmp_path):
    import numpy as np

    panel = drawn("matrix", "Pairs", "pairs", heatmap(np.eye(2), ["a", "b"], ["a", "b"]))
    table = Table("t", "T", [Column("x")], [Row([Cell("1")])])
    written = write_paper_files([Section("s", "S", [table, Group("G", [panel])])], tmp_path)
    assert sorted(path.name for path in written) == ["figures.tex", "matrix.pdf", "t.tex"]
    assert (tmp_path / "matrix.pdf").read_bytes().startswith(b"%PDF-")
    assert r"\includegraphics{matrix.pdf}" in (tmp_path / "figures.tex").read_text()
