"""`study.html`: which method makes the scanners agree, at what cost, and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from scangen_bundle.files import write_atomically
from scangen_bundle.report.html import render
from scangen_bundle.report.page import Cell, Column, Findings, Group, Panel, Section, Table, drawn, slug, undefined
from scangen_bundle.report.page import Row as Line
from scangen_bundle.statistics.estimate import Estimate
from scangen_bundle.studies.export import columns_of
from scangen_bundle.studies.outcome import MethodFacts, SchemeOutcome, StudyOutcome
from scangen_bundle.studies.plots import FLIPS, accuracy_key, differences_figure, plane_figure, save_figure
from scangen_bundle.studies.table import Difference, Row
from scangen_bundle.studies.words import words_of

PAGE = "study.html"
INTERVALS = "Second line: 95 % interval over patients, who are the same in every resample of every method."
UNCLEAR = "not told apart"
Plots = dict[str, Figure]


def write_page(folder: Path, outcome: StudyOutcome) -> Path:
    """Write the page, and its plots as SVG and PDF. Returns the page."""
    plots: Plots = {}
    sections = [_summary(outcome)]
    for result in outcome.schemes:
        sections.append(_scheme_section(result, plots))
    sections += [_methods_section(outcome), _settings_section(outcome)]
    page = folder / PAGE
    with write_atomically(page) as temporary:
        temporary.write_text(render(sections, "Which method makes my scanners agree?", "Study"), encoding="utf-8")
    for name, figure in plots.items():
        save_figure(figure, folder / "plots" / name)
    return page


def _summary(outcome: StudyOutcome) -> Section:
    sentences = [f"{result.scheme.name}: {result.advice.sentence}" for result in outcome.schemes]
    if outcome.done < outcome.cells:
        sentences.append(f"{outcome.cells - outcome.done} of {outcome.cells} trainings have no result; see below.")
    text = (
        "Every method is trained and evaluated on the same splits by patient. Epochs and strengths are chosen on inner "
        f"validation patients of the training scanners, by the rule {outcome.choose_by}."
    )
    return Section("advice", "What to do", [Findings(sentences)], [text])


def _scheme_section(result: SchemeOutcome, plots: Plots) -> Section:
    key, rows = slug(result.scheme.name), result.rows
    blocks: list[Table | Group | Findings] = [Findings([result.advice.sentence])]
    if rows:
        blocks.append(leaderboard(f"{key}-leaderboard", "Leaderboard", rows))
        blocks.append(Group("Accuracy and agreement", _panels(key, rows, plots), _plane_text()))
    blocks += [_differences_table(key, rows, reference) for reference in _references(rows)]
    blocks += list(_held_out_tables(key, rows))
    for rule, of_rule in result.by_rule.items():
        blocks.append(
            leaderboard(f"{key}-rule-{slug(rule)}", f"Leaderboard where epochs are chosen by {rule}", of_rule)
        )
    missing = [
        Line([Cell(name), Cell("left out"), Cell(reason, kind="wide")]) for name, reason in result.left_out.items()
    ]
    missing += [Line([Cell(name), Cell("failed"), Cell(reason, kind="wide")]) for name, reason in result.failed.items()]
    if missing:
        columns = [Column("method or training"), Column("what"), Column("reason")]
        blocks.append(Table(f"{key}-missing", "Left out and failed", columns, missing))
    return Section(key, result.scheme.name, blocks, [_scheme_text(result)])


def _scheme_text(result: SchemeOutcome) -> str:
    scheme = result.scheme
    held_out = [" and ".join(names) for names in scheme.hold_out if names]
    trained = {
        "all": "Training uses all scans of the training patients on the training scanners.",
        "once": "Each training and validation specimen was scanned once.",
        "few": f"Training uses {scheme.amount:g} specimens.",
        "confounded": f"In training the scanner tells the label of {scheme.amount:.0%} of the specimens.",
    }
    left_out = f"Held out in turn: {'; '.join(held_out)}." if held_out else "No scanner is held out."
    return f"{left_out} {trained[scheme.training]}"


def leaderboard(key: str, caption: str, rows: Sequence[Row]) -> Table:
    """A line for each row, a column for each headline measure that any row has."""
    columns = columns_of(rows)
    heads = [Column("method"), *(Column(words_of(name).heading, words_of(name).help) for name in columns)]
    lines = []
    for row in rows:
        cells = [
            estimate_cell(row.estimates.get(name, Estimate()), row.seed_sd.get(name, math.nan)) for name in columns
        ]
        lines.append(Line([Cell(row.label, detail=_row_note(row)), *cells]))
    return Table(key, caption, heads, lines, [f"{INTERVALS} ±: SD over seeds."])


def _row_note(row: Row) -> str:
    return f"{row.missing} models missing" if row.missing else ""


def estimate_cell(estimate: Estimate, seed_sd: float = math.nan) -> Cell:
    """Value, and below it the interval and the spread over seeds."""
    if not estimate.has_value:
        return Cell("undefined", None, estimate.reason, "undefined")
    interval = f"{estimate.low:.3f} to {estimate.high:.3f}" if estimate.has_interval else estimate.interval_reason
    spread = f"±{seed_sd:.3f}" if math.isfinite(seed_sd) else ""
    return Cell(f"{estimate.value:.3f}", estimate.value, "; ".join(filter(None, [interval, spread])))


def difference_cell(difference: Difference | None) -> Cell:
    """Difference, and below it the interval, the adjusted p-value, the spread over seeds, and whether it is told apart."""
    if difference is None:
        return Cell("", kind="undefined")
    found = difference.comparison.difference
    if not found.has_value or found.reason:
        return Cell("undefined", None, found.reason, "undefined")
    words = [f"{found.low:+.3f} to {found.high:+.3f}" if found.has_interval else found.interval_reason]
    if math.isfinite(difference.p_holm):
        words.append("p < 0.001" if difference.p_holm < 0.001 else f"p = {difference.p_holm:.3f}")
    if math.isfinite(difference.seed_sd):
        words.append(f"±{difference.seed_sd:.3f}")
    if not difference.is_clear:
        words.append(UNCLEAR)
    return Cell(f"{found.value:+.3f}", found.value, "; ".join(words))


def _references(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.against))


def _differences_table(key: str, rows: Sequence[Row], reference: str) -> Table:
    columns = columns_of(rows)
    lines = []
    for row in rows:
        against = row.against.get(reference)
        if against:
            lines.append(Line([Cell(row.label), *(difference_cell(against.get(name)) for name in columns)]))
    heads = [Column("method"), *(Column(words_of(name).heading, words_of(name).help) for name in columns)]
    notes = [
        f"Difference to {reference} on the same resamples of patients, with its 95 % interval; p adjusted over the methods "
        f"(Holm); ±: SD over seeds of the difference. {UNCLEAR.capitalize()}: p is 0.05 or more, or the difference is within "
        "two standard errors of the seeds.",
    ]
    return Table(f"{key}-against-{slug(reference)}", f"Compared with {reference}", heads, lines, notes)


def _held_out_tables(key: str, rows: Sequence[Row]) -> Iterator[Table]:
    """Where each set of scanners was held out: AUROC there, and how often the class differs there."""
    hold_outs = list(dict.fromkeys(names for row in rows for names in row.by_hold_out))
    for name in ("auroc/mean_unseen", "unseen_disagreement/mean") if hold_outs else ():
        words = words_of(name)
        lines = []
        for row in rows:
            cells = [estimate_cell(row.by_hold_out.get(names, {}).get(name, Estimate())) for names in hold_outs]
            lines.append(Line([Cell(row.label), *cells]))
        heads = [
            Column("method"),
            *(Column(" and ".join(names), f"held out: {', '.join(names)}") for names in hold_outs),
        ]
        yield Table(
            f"{key}-held-out-{slug(name)}", f"Each held-out scanner: {words.heading}", heads, lines, [INTERVALS]
        )


def _plane_text() -> str:
    return (
        "Up and to the right is better. Methods on the line are on the Pareto front: no other one is better in both. A network "
        "that says the same of everybody is high and far to the left."
    )


def _panels(key: str, rows: Sequence[Row], plots: Plots) -> list[Panel]:
    accuracy = accuracy_key(rows)
    panels = [_panel(f"{key}-plane", "Accuracy against agreement", plane_figure(rows), plots)]
    for reference in _references(rows)[:1]:
        for name, title in ((FLIPS, "Flip rate"), (accuracy, words_of(accuracy).title)):
            label = f"{title}: difference to {reference}"
            figure = differences_figure(rows, name, reference, label)
            panels.append(_panel(f"{key}-difference-{slug(name)}", label, figure, plots))
    return panels


def _panel(key: str, title: str, figure: Figure | None, plots: Plots) -> Panel:
    if figure is None:
        return undefined(key, title, "No method has both values.")
    plots[key] = figure
    return drawn(key, title, title, figure)


def _methods_section(outcome: StudyOutcome) -> Section:
    columns = [
        Column("method"),
        Column("what it does"),
        Column("needs", "what it cannot do without"),
        Column("seconds", "median of one training with its predictions"),
        Column("parameters", "trained numbers of network and method"),
        Column("trainings"),
        Column("strength", "what validation chose, and for how many splits"),
    ]
    lines = [Line(_facts_cells(facts)) for facts in outcome.methods]
    return Section("methods", "What the methods need and cost", [Table("methods-table", "Methods", columns, lines)])


def _facts_cells(facts: MethodFacts) -> list[Cell]:
    seconds = (
        Cell(f"{facts.seconds:.1f}", facts.seconds) if math.isfinite(facts.seconds) else Cell("", kind="undefined")
    )
    return [
        Cell(facts.method),
        Cell(facts.title, kind="wide"),
        Cell(facts.needs or "nothing", kind="wide"),
        seconds,
        Cell(f"{facts.parameters:,}", facts.parameters),
        Cell(f"{facts.cells:,}", facts.cells),
        Cell(facts.strengths or "as set", kind="wide"),
    ]


def _settings_section(outcome: StudyOutcome) -> Section:
    lines = _facts(outcome.settings)
    return Section(
        "settings", "How this was done", [Table("settings-table", "Settings", [Column("what"), Column("value")], lines)]
    )


def _facts(facts: Mapping[str, str]) -> list[Line]:
    return [Line([Cell(name), Cell(value, kind="wide")]) for name, value in facts.items()]
