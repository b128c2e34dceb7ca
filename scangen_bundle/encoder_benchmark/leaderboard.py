"""The leaderboard page: one row per encoder, robustness against task performance, scanner pairs, maps of tiles."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scangen_bundle.encoder_benchmark.leaderboard_text import what_to_know
from scangen_bundle.files import write_atomically
from scangen_bundle.measures.feature_measure import FeatureMeasure, feature_measures, overview_measures
from scangen_bundle.report.estimates import cell
from scangen_bundle.report.figures import embedding_map, heatmap, pair_heatmap, pareto_figure, pareto_front
from scangen_bundle.report.html import render
from scangen_bundle.report.page import (
    Block,
    Cell,
    Column,
    Findings,
    Group,
    Panel,
    Row,
    Section,
    Table,
    drawn,
    slug,
    undefined,
)
from scangen_bundle.report.style import scanner_styles
from scangen_bundle.statistics.estimate import Estimate
from scangen_bundle.statistics.interval import PERCENTILE

COLOUR = "colour-statistics"  # what colour alone tells of the scanner stands beside each encoder's scanner probes


def write_leaderboard(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write the page of a benchmark's results (`results.json`'s content)."""
    encoders = content["encoders"]
    sections = [
        _ranking(content),
        _scatter_section(encoders),
        _scanner_section(encoders),
        Section(
            "pairs", "Pairs of scanners", [_heatmaps(name, result) for name, result in encoders.items()], folded=True
        ),
        Section(
            "maps",
            "Maps of tiles",
            [
                Group(f"{name}: first two principal components", _maps(name, result))
                for name, result in encoders.items()
            ],
            [
                "Each point is a tile. Where points of one scanner keep together, the encoder sees the scanner; where those of "
                "one label do, it sees the label."
            ],
            folded=True,
        ),
        _provenance(content),
    ]
    title = "How scanner-sensitive is each encoder?"
    subtitle = f"Leaderboard of {', '.join(encoders)}" if encoders else "Leaderboard"
    page = render(sections, title, subtitle, advice=advice(encoders))
    with write_atomically(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def advice(encoders: Mapping[str, Any]) -> str:
    """Which encoder to take, by the measures of the first scatter plot; "" where it cannot be drawn."""
    tasks, robust = _plotted(encoders, "task"), _plotted(encoders, "robustness")
    if not tasks or not robust:
        return ""
    task, robustness = tasks[-1], robust[0]
    points = {}
    for name, result in encoders.items():
        x, y = _estimate(result, task).value, _estimate(result, robustness).value
        if name != COLOUR and math.isfinite(x) and math.isfinite(y):
            points[name] = (x, y)
    if len(points) < 2:
        return ""
    front = pareto_front(points)
    if len(front) == 1:
        return f"Of these encoders, take {front[0]}: it is best in both {task.title} and {robustness.title}."
    best, steadiest = front[-1], front[0]
    return (
        f"Of these encoders, {best} predicts best ({task.title} {points[best][0]:.3f}) and {steadiest} is the least "
        f"sensitive to the scanner ({robustness.title} {points[steadiest][1]:.3f}): no encoder is best in both. Where the "
        "intervals overlap, take either."
    )


def _ranking(content: Mapping[str, Any]) -> Section:
    encoders = content["encoders"]
    overview = _table("Overview", encoders, overview_measures(), facts=True)
    blank = [Cell("")] * (len(overview.columns) - 2)
    not_measured = [
        Row([Cell(name), Cell("not measured", None, reason, "undefined"), *blank])
        for name, reason in content["failed"].items()
    ]
    blocks: list[Block] = [replace(overview, rows=[*overview.rows, *not_measured])]
    for group, measures in _by_group(lambda measure: measure.by != "scanner"):
        table = _table(group, encoders, measures)
        if len(table.columns) > 1:
            blocks.append(table)
    text = [
        "Second line of a cell: 95 % confidence interval (patients drawn with all of their specimens), then the baseline "
        "[in brackets]; a scanner probe's also by colour statistics. Exact: a share that is 0 or 1 in every resample has its "
        "binomial interval. ↑ higher is better, ↓ lower is better. Click a column's head to sort.",
        "A high cosine alone says nothing: a space where all tissue looks alike has it, too. Read the gap and the retrieval.",
    ]
    return Section("ranking", "Encoders", [*blocks, Findings(what_to_know(content))], text)


def _by_group(keep: Callable[[FeatureMeasure], bool]) -> Iterator[tuple[str, list[FeatureMeasure]]]:
    """The measures of each group that `keep` accepts, in the order of the page."""
    groups: dict[str, list[FeatureMeasure]] = {}
    for measure in filter(keep, feature_measures().values()):
        groups.setdefault(measure.group, []).append(measure)
    yield from groups.items()


def _table(caption: str, encoders: Mapping[str, Any], measures: Sequence[FeatureMeasure], facts: bool = False) -> Table:
    """A row per encoder, a column per measure that is defined for any of them, and what is known of the encoders."""
    measures = [measure for measure in measures if _any_defined(encoders, measure)]
    columns = [Column("encoder"), *(Column(measure.heading, measure.help) for measure in measures)]
    if facts:  # last, so that a narrow page shows the measures first
        columns += [Column("tiles/s", "measured in this run, encoder only"), Column("D", "length of a vector")]
        columns += [Column("parameters, M"), Column("licence")]
    rows = []
    for name, result in encoders.items():
        encoder = result["encoder"]
        cells = [Cell(name, detail=encoder["domain"])]
        cells += [_cell(encoders, name, measure) for measure in measures]
        if facts:
            cells += [_number(encoder["tiles_per_second"], 0), Cell(str(encoder["dim"]), encoder["dim"])]
            cells += [_number(encoder["parameters"], 1), Cell(encoder["licence"] or "unknown")]
        rows.append(Row(cells))
    return Table(f"ranking-{slug(caption)}", caption, columns, rows)


def _any_defined(encoders: Mapping[str, Any], measure: FeatureMeasure) -> bool:
    return any(_estimate(result, measure).has_value for result in encoders.values())


def _estimate(result: Mapping[str, Any], measure: FeatureMeasure) -> Estimate:
    return Estimate.from_json(result["figures"].get(measure.key, {"reason": "not computed"}))


def _cell(encoders: Mapping[str, Any], name: str, measure: FeatureMeasure) -> Cell:
    estimate = _estimate(encoders[name], measure)
    if not estimate.has_value:
        return cell(estimate)
    method = "" if estimate.method == PERCENTILE else f", {estimate.method}"
    interval = f"{estimate.low:.3f} to {estimate.high:.3f}{method}" if estimate.has_interval else ""
    beside = [f"{estimate.baseline:.3f}"] if math.isfinite(estimate.baseline) else []
    if measure.beside_colour and name != COLOUR and COLOUR in encoders:
        colour = _estimate(encoders[COLOUR], measure)
        beside += [f"colour {colour.value:.3f}"] if colour.has_value else []
    brackets = f"[{', '.join(beside)}]" if beside else ""
    return Cell(f"{estimate.value:.3f}", estimate.value, f"{interval} {brackets}".strip())


def _number(value: float | None, digits: int) -> Cell:
    return Cell("unknown") if value is None else Cell(f"{value:,.{digits}f}", value)


def _scatter_section(encoders: Mapping[str, Any]) -> Section:
    title = "Robustness against task performance"
    tasks, robust = _plotted(encoders, "task"), _plotted(encoders, "robustness")
    if not tasks or not robust:
        missing = "robustness" if tasks else "task performance (no labels)"
        panels = [undefined("scatter-all", title, f"There is no {missing} of any encoder.")]
    else:
        panels = [_scatter(encoders, tasks[-1], measure) for measure in robust]
    text = [
        "Encoders on the line are on the Pareto front: none other is better in both. The dotted lines are the baselines: an "
        "encoder near the vertical one is robust in nothing that matters."
    ]
    return Section("scatter", title, [Group(title, panels)], text)


def _plotted(encoders: Mapping[str, Any], axis: str) -> list[FeatureMeasure]:
    """Measures of an axis that any encoder has, in the order of the page."""
    return [m for m in feature_measures().values() if m.scatter == axis and _any_defined(encoders, m)]


def _scatter(encoders: Mapping[str, Any], task: FeatureMeasure, robust: FeatureMeasure) -> Panel:
    points, baselines = {}, []
    for name, result in encoders.items():
        x, y = _estimate(result, task), _estimate(result, robust)
        if x.has_value and y.has_value:
            points[name] = (x.value, y.value)
            baselines.append((x.baseline, y.baseline))
    title = f"{robust.title} against {task.title}"
    if not points:
        return undefined(f"scatter-{slug(robust.key)}", title, "No encoder has both.")
    figure = pareto_figure(points, task.title, robust.title, baselines[0])
    return drawn(f"scatter-{slug(robust.key)}", title, title, figure)


def _scanner_section(encoders: Mapping[str, Any]) -> Section:
    """Each encoder on each scanner."""
    panels = [
        _scanner_heatmap(encoders, measure)
        for measure in feature_measures().values()
        if any(result["scanners"].get(measure.key) for result in encoders.values())
    ]
    if not panels:
        panels = [undefined("scanner-none", "Scanners", "Nothing is defined on single scanners.")]
    return Section("scanners", "Scanners", [Group("Each encoder on each scanner", panels)])


def _scanner_heatmap(encoders: Mapping[str, Any], measure: FeatureMeasure) -> Panel:
    by_encoder = {name: result["scanners"].get(measure.key, {}) for name, result in encoders.items()}
    scanners = sorted({scanner for entries in by_encoder.values() for scanner in entries})
    table = np.full((len(by_encoder), len(scanners)), math.nan)
    for row, entries in enumerate(by_encoder.values()):
        for column, scanner in enumerate(scanners):
            table[row, column] = Estimate.from_json(entries.get(scanner, {})).value
    figure = heatmap(table, list(by_encoder), scanners)
    return drawn(f"scanner-{slug(measure.key)}", measure.heading, measure.help, figure)


def _heatmaps(name: str, result: Mapping[str, Any]) -> Group:
    """A picture for each measure of pairs of scanners."""
    panels = []
    for measure in feature_measures().values():
        if measure.heatmap and measure.key in result["pairs"]:
            title = f"{measure.title}, {name}"
            figure = pair_heatmap(result["pairs"][measure.key])
            panels.append(
                drawn(f"heat-{slug(name, measure.key)}", title, f"{title}, for each pair of scanners", figure)
            )
    if not panels:
        reason = "; ".join(dict.fromkeys(_reasons_of_pairs(result))) or "nothing was paired"
        panels = [undefined(f"heat-{slug(name)}", name, f"There are no pairs: {reason}.")]
    return Group(name, panels)


def _reasons_of_pairs(result: Mapping[str, Any]) -> Iterator[str]:
    for measure in feature_measures().values():
        if measure.heatmap and (reason := _estimate(result, measure).reason):
            yield reason


def _maps(name: str, result: Mapping[str, Any]) -> list[Panel]:
    drawing = result["map"]
    points = np.stack([drawing["x"], drawing["y"]], axis=1)
    share = drawing["share"]
    axes = (f"first, {share[0]:.0%} of variance", f"second, {share[1]:.0%}")
    labels = ["unlabelled" if label < 0 else f"label {label}" for label in drawing["label"]]
    panels = []
    for noun, groups in (("scanner", drawing["scanner"]), ("label", labels)):
        if noun == "label" and len(set(groups)) < 2:
            continue
        figure = embedding_map(points, groups, scanner_styles(sorted(set(groups))), f"by {noun}", axes)
        title = f"{name}, by {noun}"
        panels.append(drawn(f"map-{slug(name, noun)}", title, f"tiles of {name}, coloured by {noun}", figure))
    return panels


def _provenance(content: Mapping[str, Any]) -> Section:
    settings = content["settings"]
    rows = [
        Row([Cell(name), Cell(str(value) or "not given")])
        for name, value in settings.items()
        if not isinstance(value, Mapping) or value
    ]
    table = Table("provenance-table", "Settings", [Column("setting"), Column("value")], rows)
    return Section("provenance", "How this page was made", [table], folded=True)
