"""Who was scanned on what, whether the scanner gives the label away, and at which resolution tiles were read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scangen_bundle.report.page import Cell, Column, Findings, Row, Section, Table, count_cell, number_cell

if TYPE_CHECKING:
    from scangen_bundle.cohort.confounding import ConfoundingReport


def confounding_section(report: ConfoundingReport, class_names: Sequence[str], unseen: Sequence[str] = ()) -> Section:
    """Specimens per scanner and label, and how strongly the two hang together."""
    labels = [class_names[i] if i < len(class_names) else str(i) for i in map(int, report.table.columns)]
    rows = [
        Row([Cell(_star(scanner, unseen)), *(count_cell(int(n)) for n in counts), count_cell(int(counts.sum()))])
        for scanner, counts in report.table.iterrows()
    ]
    table = Table(
        "confounding",
        "Specimens per scanner and label",
        [Column("scanner"), *(Column(name) for name in labels), Column("all")],
        rows,
        ["A specimen counts once per scanner."],
    )
    scanners = [str(name) for name in report.paired.index]
    paired = Table(
        "paired",
        "Specimens that two scanners have in common",
        [Column("scanner"), *(Column(_star(name, unseen)) for name in scanners)],
        [
            Row([Cell(_star(str(scanner), unseen)), *(count_cell(int(n)) for n in counts)])
            for scanner, counts in report.paired.iterrows()
        ],
        ["On the diagonal: all specimens of the scanner."],
    )
    return Section("cohort", "Cohort and confounding", [Findings(_confounding_findings(report)), table, paired])


def _confounding_findings(report: ConfoundingReport) -> list[str]:
    findings = []
    if np.isfinite(report.cramers_v):
        corrected = (
            f"{report.cramers_v_corrected:.2f}" if np.isfinite(report.cramers_v_corrected) else "undefined (too few)"
        )
        findings.append(
            f"Scanner and label: Cramér's V {report.cramers_v:.2f} (0 = independent, 1 = the scanner gives the label "
            f"away), with bias correction {corrected}, chi-square p = {report.p_value:.2g}."
        )
    else:
        findings.append("Cramér's V between scanner and label is undefined: there is only one scanner or one label.")
    if report.one_class_scanners:
        findings.append(
            f"Specimens of one label only: {', '.join(report.one_class_scanners)}. AUROC is undefined there."
        )
    return findings


def audit_section(audit: pd.DataFrame) -> Section:
    """The resolution audit, a row per scan or per scanner, as it was given."""
    columns = [str(name) for name in audit.columns]
    rows = [Row([_plain(value) for value in values]) for values in audit.itertuples(index=False, name=None)]
    table = Table("resolution-audit", "Resolution audit", [Column(name.replace("_", " ")) for name in columns], rows)
    text = [
        "Tiles of all scanners should show the same piece of tissue at the same µm per pixel; a difference between "
        "scanners is itself something a network can recognise."
    ]
    return Section("resolution", "Resolution", [table], text)


def _star(scanner: object, unseen: Sequence[str]) -> str:
    return f"{scanner} *" if scanner in unseen else str(scanner)


def _plain(value: object) -> Cell:
    """A value of a table of anyone's making."""
    if isinstance(value, (bool, np.bool_)):
        return Cell("yes" if value else "no")
    if isinstance(value, (int, np.integer)):
        return count_cell(int(value))
    if isinstance(value, (float, np.floating)):
        return number_cell(float(value), 4)
    return Cell("" if value is None else str(value))
