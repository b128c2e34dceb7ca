"""Who was scanned on what, whether the scanner gives the label away, and at which resolution tiles were read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scangen_bundle.report.page import Cell, Column, Findings, Row, Section, Table, count_cell

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
    return Section(
        "cohort", "Cohort and confounding", [Findings(_confounding_findings(report)), table, paired], folded=True
    )


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


AUDIT_COLUMNS = {
    "scanner": "scanner",
    "scans": "scans",
    "source_mpp_x": "slide, µm/px",
    "effective_mpp": "tiles, µm/px",
    "effective_mpp_ratio": "ratio to other scanners",
    "read_level": "level read",
    "tiles": "tiles per scan",
    "tissue_mm2": "tissue, mm²",
    "sharpness": "sharpness",
    "flags": "stands out because",
}


def audit_section(audit: pd.DataFrame, unseen: Sequence[str] = ()) -> Section:
    """The resolution audit.

    Args:
        audit: a row per scanner, as in `features.AuditReport.scanners`; columns that it lacks are left out.
        unseen: scanners to mark.
    """
    columns = {name: title for name, title in AUDIT_COLUMNS.items() if name in audit}
    rows = [
        Row([Cell(_star(scanner, unseen)), *(_plain(value) for value in values)])
        for scanner, *values in audit[list(columns)].itertuples(index=False, name=None)
    ]
    flags = audit["flags"] if "flags" in audit else pd.Series("", index=audit.index)
    found = [f"{name}: {text}." for name, text in zip(audit["scanner"], flags, strict=True) if text]
    table = Table(
        "resolution-audit", "Resolution audit, medians per scanner", [Column(t) for t in columns.values()], rows
    )
    text = [
        "Tiles of all scanners should show the same piece of tissue at the same µm per pixel; a difference between "
        "scanners is itself something that a network can recognise."
    ]
    return Section(
        "resolution", "Resolution", [Findings(found or ["No scanner stands out."]), table], text, folded=True
    )


def _star(scanner: object, unseen: Sequence[str]) -> str:
    return f"{scanner} *" if scanner in unseen else str(scanner)


def _plain(value: object) -> Cell:
    """A value of the audit: a count, a figure, or text."""
    if isinstance(value, (int, np.integer)):
        return count_cell(int(value))
    if isinstance(value, (float, np.floating)):
        return Cell(f"{value:.4g}", float(value)) if np.isfinite(value) else Cell("unknown", kind="undefined")
    return Cell("" if value is None else str(value))
