"""Who are they? A row per specimen: its scores by scanner, its pictures, its files; those that flip first."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from scangen_bundle.report.page import Cell, Column, Dot, Findings, Link, Row, Section, Strip, Table
from scangen_bundle.report.ranking import RankedSpecimens, rank_specimens
from scangen_bundle.report.sections.context import Context

MOST_ROWS = 200
MOST_MARKS = 6000  # scores drawn in all, so that the page of 100 scanners opens at once
MOST_COLUMNS = 8  # scanners whose scores are columns, too


@dataclass(frozen=True)
class SpecimenFiles:
    """Pictures and files of the specimens, as far as there are any.

    Attributes:
        thumbnails: by specimen, a picture of the tissue as a `data:` address.
        attention: by specimen, a picture of where the network looked as a `data:` address.
        links: by specimen, files whose addresses are relative to the page.
        viewer: command that opens the run in the viewer; "" for none.
    """

    thumbnails: Mapping[str, str] = field(default_factory=dict)
    attention: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, list[Link]] = field(default_factory=dict)
    viewer: str = ""


def specimens_section(context: Context, files: SpecimenFiles | None = None) -> Section:
    """The table, and how many specimens flip.

    Args:
        context: gives the predictions.
        files: pictures and files; None for none.
    """
    ranked = rank_specimens(context.predictions, context.scanners, context.threshold)
    count = max(20, min(MOST_ROWS, MOST_MARKS // max(1, len(context.scanners))))
    files = files or SpecimenFiles()
    rows = [_row(context, ranked, files, i) for i in range(min(count, len(ranked.names)))]
    notes = [
        "Specimens that flip come first, then those with the largest spread: the standard deviation of the logit over "
        "scanners. On the line from 0 to 1, a mark is a scanner, filled where it is called "
        f"{context.class_names[-1] if context.threshold is not None else 'the true class'}; hover for its name."
    ]
    if len(rows) < len(ranked.names):
        notes.append(f"Of {len(ranked.names):,} specimens the first {len(rows)}; predictions.csv has all.")
    if files.viewer:
        notes.append("“Copy viewer command” copies what to type in a terminal to see the scans side by side.")
    table = Table("specimens-table", "Scores by scanner", _columns(context, files), rows, notes, searchable=True)
    return Section("specimens", "Specimens", [Findings([_flips(ranked)]), table])


def _flips(ranked: RankedSpecimens) -> str:
    names = [name for name, flips in zip(ranked.names, ranked.flips, strict=True) if flips]
    if not names:
        return "No specimen changes its predicted class with the scanner."
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    verb = "changes its" if len(names) == 1 else "change their"
    return f"{len(names)} of {len(ranked.names)} specimens {verb} predicted class with the scanner: {listed}."


def _columns(context: Context, files: SpecimenFiles) -> list[Column]:
    columns = [Column("specimen", "second line: patient"), Column("true class"), Column("called")]
    columns += [Column("spread", "standard deviation of the logit over scanners"), Column("scores, 0 to 1")]
    columns += [Column("tissue")] if files.thumbnails else []
    columns += [Column("attention", "where the network looked")] if files.attention else []
    columns += [Column("open")] if files.links or files.viewer else []
    if len(context.scanners) <= MOST_COLUMNS:
        columns += [Column(context.name(scanner)) for scanner in context.scanners]
    return columns


def _row(context: Context, ranked: RankedSpecimens, files: SpecimenFiles, i: int) -> Row:
    name, label = ranked.names[i], int(ranked.labels[i])
    spread = float(ranked.spread[i])
    cells = [Cell(name, detail=ranked.patients[i] if ranked.patients[i] != name else "")]
    cells.append(Cell(context.class_names[label]) if label >= 0 else Cell("unlabelled", kind="undefined"))
    cells.append(_called(context, ranked, i))
    undefined = Cell("one scanner", None, "", "undefined")
    cells.append(Cell(f"{spread:.2f}", spread) if np.isfinite(spread) else undefined)
    cells.append(Cell("", strip=_strip(context, ranked, i)))
    cells += [Cell("", picture=files.thumbnails.get(name, ""))] if files.thumbnails else []
    cells += [Cell("", picture=files.attention.get(name, ""))] if files.attention else []
    if files.links or files.viewer:
        command = f"{files.viewer} --specimen {shlex.quote(name)}"
        viewer = [Link("copy viewer command", command=command)] if files.viewer else []
        cells.append(Cell("", links=[*files.links.get(name, ()), *viewer]))
    if len(context.scanners) <= MOST_COLUMNS:
        scores = zip(ranked.scores[i], ranked.classes[i], strict=True)
        cells += [_score(context, ranked, i, score, predicted) for score, predicted in scores]
    return Row(cells)


def _called(context: Context, ranked: RankedSpecimens, i: int) -> Cell:
    """What the scanners call the specimen, such as `flips` with `2 of 6 positive`."""
    classes = ranked.classes[i][np.isfinite(ranked.classes[i])].astype(int)
    if not len(classes):
        return Cell("no score", kind="undefined")
    counts = np.bincount(classes, minlength=len(context.class_names))
    if not ranked.flips[i]:
        return Cell(_name(context, int(counts.argmax())), 0)
    shown = 1 if context.threshold is not None else int(counts.argmax())
    return Cell("flips", 1, f"{counts[shown]} of {len(classes)} {_name(context, shown)}", "flips")


def _name(context: Context, number: int) -> str:
    return context.class_names[number] if number < len(context.class_names) else f"class {number}"


def _is_high(context: Context, ranked: RankedSpecimens, i: int, predicted: float) -> bool:
    if context.threshold is not None:
        return predicted == 1
    return predicted == ranked.labels[i]


def _score(context: Context, ranked: RankedSpecimens, i: int, score: float, predicted: float) -> Cell:
    if not np.isfinite(score):
        return Cell("–", None, "", "undefined")
    return Cell(f"{score:.3f}", float(score), kind="high" if _is_high(context, ranked, i, predicted) else "")


def _strip(context: Context, ranked: RankedSpecimens, i: int) -> Strip:
    dots = []
    for scanner, score, predicted in zip(context.scanners, ranked.scores[i], ranked.classes[i], strict=True):
        if np.isfinite(score):
            kind = "high" if _is_high(context, ranked, i, predicted) else "low"
            dots.append(Dot(float(score), f"{context.name(scanner)}: {score:.3f}", kind))
    return Strip(dots, context.threshold)
