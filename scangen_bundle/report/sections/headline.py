"""The answer first: the headline table, and what it says in plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scangen_bundle.report.estimates import cell, estimate, text
from scangen_bundle.report.figures import estimates_figure
from scangen_bundle.report.page import Alert, Block, Cell, Column, Findings, Group, Row, Section, Table, drawn
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.sections.figures_table import INTERVALS
from scangen_bundle.report.table import MOST_SCANNERS, Results, headline_rows
from scangen_bundle.report.words import AGGREGATES, title_of
from scangen_bundle.statistics.estimate import Estimate


def headline_table_block(results: Results) -> Table:
    """The headline table as part of a page: means and agreement, then, to compare several models, each scanner."""
    columns, rows = headline_rows(results)
    shown = [key for key in columns if key.partition("/")[2] in ("", *AGGREGATES)]
    caption, notes = "In a few figures", [INTERVALS]
    if len(results) > 1:
        shown += [key for key in columns if key not in shown]
        caption, notes = "AUROC per scanner, and agreement between scanners", [f"AUROC per scanner. {INTERVALS}"]
        if any(len(metrics["cohort"]["scanners"]) > MOST_SCANNERS for metrics in results.values()):
            notes.append(f"Of the scanners, the {MOST_SCANNERS} with the lowest AUROC.")
        if any(title.endswith(" *") for title in columns.values()):
            notes.append("* The network saw no slide of this scanner in training.")
    lines = []
    for name, estimates in rows.items():
        by_key = dict(zip(columns, estimates, strict=True))
        lines.append(Row([Cell(name), *(cell(by_key[key]) for key in shown)]))
    heads = [Column(columns[key], _help(results, key)) for key in shown]
    return Table("headline", caption, [Column("model"), *heads], lines, notes)


def _help(results: Results, key: str) -> str:
    """What a value means, by the first training that has it."""
    for metrics in results.values():
        words = metrics["definitions"].get(key.partition("/")[0])
        if words:
            return f"{title_of(metrics, key)}: {words['help']}"
    return ""


def headline_section(context: Context, model: str) -> Section:
    """Table, findings and a plot of the AUROCs."""
    scanners = [estimate(context.metrics, f"auroc/{scanner}") for scanner in context.drawn_scanners]
    rows = [*map(context.name, context.drawn_scanners), "mean of scanners"]
    estimates = {model: [*scanners, estimate(context.metrics, "auroc/mean")]}
    figure = estimates_figure(rows, estimates, "AUROC with 95 % confidence interval", reference=0.5)
    panel = drawn("auroc", "AUROC per scanner", "AUROC of each scanner with its confidence interval", figure)
    blocks: list[Block] = [*alerts([context.metrics]), headline_table_block({model: context.metrics})]
    blocks.append(Findings(findings(context)))
    blocks.append(Group("AUROC per scanner", [panel], f"Dotted: guessing.{context.drawn_note}"))
    return Section("summary", "Summary", blocks)


def alerts(results: Iterable[Mapping[str, Any]], names: Sequence[str] = ()) -> list[Alert]:
    """A loud line for each evaluation whose network scores all specimens alike.

    Args:
        results: contents of `metrics.json`.
        names: of the evaluations; empty where there is one.
    """
    sentences = []
    for i, metrics in enumerate(results):
        if alike := metrics["cohort"].get("alike"):
            sentences.append(Alert(f"{names[i]}: the {alike}." if names else f"The {alike}."))
    return sentences


def findings(context: Context) -> list[str]:
    """What the metrics say, for a reader who does not know them by name."""
    metrics = context.metrics
    aurocs = {scanner: estimate(metrics, f"auroc/{scanner}") for scanner in context.scanners}
    sentences = [_data(context), *_auroc_sentences(context, aurocs)]
    sentences += _agreement(context)
    sentences += [alert.text for alert in alerts([metrics])]
    for scanner, auroc in aurocs.items():
        if not auroc.has_value:
            sentences.append(f"The AUROC on {context.name(scanner)} is undefined: {auroc.reason}.")
    unseen = [scanner for scanner in context.scanners if scanner in context.unseen]
    if unseen:
        sentences.append(f"Not seen in training, so a test of a new scanner: {', '.join(unseen)} (marked *).")
    return sentences


def _auroc_sentences(context: Context, aurocs: Mapping[str, Estimate]) -> list[str]:
    mean, spread = estimate(context.metrics, "auroc/mean"), estimate(context.metrics, "auroc/range")
    defined = {scanner: auroc.value for scanner, auroc in aurocs.items() if auroc.has_value}
    sentences = []
    if mean.has_value:
        over = "scanners" if len(defined) == len(aurocs) else f"the {len(defined)} scanners where it is defined"
        pair = "a positive scan scores higher than a negative one"
        if context.threshold is None:
            over, pair = f"{over} and classes", "a scan of a class scores higher for it than a scan of another class"
        sentences.append(
            f"Averaged over {over}, {pair} in {percent(mean.value)} of all pairs (AUROC {text(mean, 2)}; guessing would give "
            f"{percent(0.5)})."
        )
    if len(defined) > 1 and len(set(defined.values())) == 1:
        sentences.append(f"The AUROC is the same on all {len(defined)} scanners where it is defined.")
    elif len(defined) > 1:
        low, high = min(defined, key=defined.__getitem__), max(defined, key=defined.__getitem__)
        sentences.append(
            f"It works least well on {context.name(low)} (AUROC {defined[low]:.2f}) and best on "
            f"{context.name(high)} ({defined[high]:.2f}); the two differ by {text(spread, 2)}."
        )
    return sentences


def percent(share: float) -> str:
    """Such as `12 %`; `0.3 %` and `99.6 %`, since what is not nothing or all has to look so."""
    digits = next((digits for digits in range(6) if 0 < round(share, digits + 2) < 1), 0)
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def _data(context: Context) -> str:
    scans = context.predictions
    return (
        f"{len(scans):,} scans of {scans['specimen_id'].nunique():,} specimens from "
        f"{scans['patient_id'].nunique():,} patients on {len(context.scanners)} scanners were evaluated."
    )


def _agreement(context: Context) -> list[str]:
    flips, icc, cov, between = (
        estimate(context.metrics, key) for key in ("flip_rate", "logit_icc", "cov", "specimen_sd")
    )
    sentences = []
    if flips.has_value:
        share = f"{percent(flips.value)} of the specimens{_interval(flips)}"
        sentences.append(f"{share} change their predicted class with the scanner.")
    if icc.has_value:
        share = f"{percent(max(icc.value, 0.0))} of the variance of the scores (logits) is the specimens'"
        sentences.append(f"{share} (ICC {text(icc, 2)}; the rest is scanner and noise).")
    if cov.has_value:
        spread = f"{percent(cov.value)} of their mean between scanners{_interval(cov)}"
        beside = (
            f"; the specimens' mean scores have a standard deviation of {between.value:.3f}"
            if between.has_value
            else ""
        )
        sentences.append(f"One specimen's scores spread by {spread}{beside}.")
    return sentences


def _interval(value: Estimate) -> str:
    return f" (95 % CI {percent(value.low)} to {percent(value.high)})" if value.has_interval else ""
