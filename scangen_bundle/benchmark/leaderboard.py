"""The leaderboard page: one row per encoder, robustness against task performance, scanner pairs, maps of tiles."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scangen_bundle.benchmark.catalogue import MEASURES
from scangen_bundle.files import write_atomically
from scangen_bundle.report.estimates import estimate
from scangen_bundle.report.figures import embedding_map
from scangen_bundle.report.html import render
from scangen_bundle.report.page import Cell, Column, Findings, Group, Panel, Row, Section, Table, drawn, slug, undefined
from scangen_bundle.report.style import COLOURS, MARKERS, MUTED, new_axes, scanner_styles

ROBUSTNESS = ("retrieval/top1", "retrieval/top10", "robustness_index")
TASK = ("label_probe/linear",)
ARROWS = {"high": " ↑", "low": " ↓", "": ""}
OVERVIEW = (
    "cosine/gap",
    "retrieval/top1",
    "variance/scanner",
    "scanner_probe/linear",
    "robustness_index",
    *TASK,
)
TABLES = {
    "Paired: the same tissue on two scanners": ("cosine", "retrieval", "cka", "variance", "shift"),
    "Unpaired: what the features know": (
        "scanner_probe",
        "silhouette",
        "label_probe",
        "robustness_index",
        "generalisation_index",
        "clustering_score",
    ),
}
LEVELS = {
    "tile": "places are registered fields of view",
    "scan": "tiles do not correspond, so the means of scans are paired",
    "none": "nothing could be paired",
}
HEAT = ("retrieval/top1", "cosine/same_tissue", "cka")


def write_leaderboard(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write the page of a benchmark's results (`results.json`'s content)."""
    encoders = content["encoders"]
    sections = [
        _ranking(content),
        _scatter_section(encoders),
        Section("pairs", "Pairs of scanners", [_heatmaps(name, result) for name, result in encoders.items()]),
        Section(
            "maps",
            "Maps of tiles",
            [Group("First two principal components", [_map(name, result) for name, result in encoders.items()])],
            ["Each point is a tile. Points of one colour that keep together mean that the encoder sees the scanner."],
        ),
        _provenance(content),
    ]
    page = render(sections, "How scanner-sensitive is each encoder?", "Leaderboard")
    with write_atomically(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _ranking(content: Mapping[str, Any]) -> Section:
    encoders = content["encoders"]
    defined = {
        name: [key for key in MEASURES if key.split("/")[0] in groups and _any_defined(encoders, key)]
        for name, groups in TABLES.items()
    }
    blocks: list[Table | Group | Findings] = [
        _table("Overview", encoders, [key for key in OVERVIEW if _any_defined(encoders, key)], facts=True)
    ]
    blocks += [_table(name, encoders, keys) for name, keys in defined.items() if keys]
    text = [
        "Second line of a cell: 95 % confidence interval (patients drawn with all of their specimens), then the baseline "
        "[in brackets]. ↑ higher is better, ↓ lower is better. Click a column's head to sort.",
        "A high cosine alone says nothing: a space where all tissue looks alike has it, too. Read the gap and the retrieval.",
    ]
    return Section("ranking", "Encoders", [*blocks, _said(content)], text)


def _table(caption: str, encoders: Mapping[str, Any], keys: Sequence[str], facts: bool = False) -> Table:
    columns = [Column("encoder")]
    if facts:
        columns += [Column("D", "length of a vector"), Column("parameters, M"), Column("licence")]
        columns += [Column("tiles/s", "measured in this run, encoder only")]
    columns += [Column(MEASURES[key].title + ARROWS[MEASURES[key].better], MEASURES[key].help) for key in keys]
    rows = []
    for name, result in encoders.items():
        known = result["encoder"]
        cells = [Cell(name, detail=known["domain"])]
        if facts:
            cells += [Cell(str(known["dim"]), known["dim"]), _number(known["parameters"], 1)]
            cells += [Cell(known["licence"] or "unknown"), _number(known["tiles_per_second"], 0)]
        rows.append(Row([*cells, *(_figure(result, key) for key in keys)]))
    return Table(f"ranking-{slug(caption)}", caption, columns, rows)


def _any_defined(encoders: Mapping[str, Any], key: str) -> bool:
    return any(_value(result, key) is not None for result in encoders.values())


def _figure(result: Mapping[str, Any], key: str) -> Cell:
    found = estimate(result, key)
    if not math.isfinite(found.value):
        return found.cell()
    interval = f"{found.low:.3f} to {found.high:.3f}" if math.isfinite(found.low) else ""
    baseline = result["figures"][key]["baseline"]
    beside = "" if baseline is None else f"[{baseline:.3f}]"
    return Cell(f"{found.value:.3f}", found.value, f"{interval} {beside}".strip())


def _number(value: float | None, digits: int) -> Cell:
    return Cell("unknown") if value is None else Cell(f"{value:,.{digits}f}", value)


def _said(content: Mapping[str, Any]) -> Findings:
    """What a reader has to know before trusting the tables; what holds for several encoders is said once."""
    said: dict[str, list[str]] = {}
    for name, result in content["encoders"].items():
        for sentence in _said_of(result):
            said.setdefault(sentence, []).append(name)
    sentences = [f"{', '.join(names)}: {sentence}" for sentence, names in said.items()]
    errors = list(content["registration"]["error_um"].values())
    if errors:
        sentences.append(
            f"Registration error: median {np.median(errors):.1f} µm, worst {max(errors):.1f} µm over {len(errors)} specimens "
            "(matched points that the fit did not see; the worst scan of each specimen)."
        )
    left = content["registration"]["left_out"]
    sentences += [f"Specimen {name} is not paired: {reason}." for name, reason in left.items()]
    return Findings(sentences)


def _said_of(result: Mapping[str, Any]) -> list[str]:
    counts = result["counts"]
    sentences = [
        f"{counts['specimens']} specimens of {counts['patients']} patients, {counts['scanners']} scanners, "
        f"{counts['tiles']:,} tiles, {counts['places']:,} places; {LEVELS[result['level']]}."
    ]
    sentences += result["warnings"]
    sentences += [f"{slide} is left out: {reason}" for slide, reason in result["left_out"].items()]
    noted: dict[str, list[str]] = {}
    for key, entry in result["figures"].items():
        if entry["note"]:
            noted.setdefault(entry["note"], []).append(MEASURES[key].title)
    sentences += [f"{', '.join(titles)}: {note}." for note, titles in noted.items()]
    for kind, what in (("reason", "undefined"), ("interval_reason", "no interval")):
        keys: dict[str, list[str]] = {}
        for key, entry in result["figures"].items():
            if entry[kind] and not (kind == "interval_reason" and entry["reason"]):
                keys.setdefault(entry[kind], []).append(MEASURES[key].title)
        every = len(result["figures"])
        sentences += [
            f"{what} ({why}): {'all measures' if len(names) == every else ', '.join(names)}."
            for why, names in keys.items()
        ]
    return sentences


def _scatter_section(encoders: Mapping[str, Any]) -> Section:
    task, robust = (_first_defined(encoders, keys) for keys in (TASK, ROBUSTNESS))
    title = "Robustness against task performance"
    if task is None or robust is None:
        missing = "task performance (no labels)" if task is None else "robustness"
        panel = undefined("scatter-all", title, f"There is no {missing} of any encoder.")
    else:
        points = {
            name: (result["figures"][task]["value"], result["figures"][robust]["value"])
            for name, result in encoders.items()
            if _value(result, task) is not None and _value(result, robust) is not None
        }
        figure = pareto_figure(points, MEASURES[task].title, MEASURES[robust].title)
        panel = drawn("scatter-all", title, f"{MEASURES[robust].title} against {MEASURES[task].title}", figure)
    text = ["Encoders on the line are on the Pareto front: none other is better in both."]
    return Section("scatter", title, [Group(title, [panel])], text)


def _value(result: Mapping[str, Any], key: str) -> float | None:
    return result["figures"].get(key, {}).get("value")


def _first_defined(encoders: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    return next((key for key in keys if any(_value(result, key) is not None for result in encoders.values())), None)


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points (x, y) that no other one exceeds in one axis and equals or exceeds in the other, by x."""
    front = [
        name
        for name, (x, y) in points.items()
        if not any(u >= x and v >= y and (u > x or v > y) for u, v in points.values())
    ]
    return sorted(front, key=lambda name: points[name])


def pareto_figure(points: Mapping[str, tuple[float, float]], x_name: str, y_name: str) -> Figure:
    """Scatter with names; the Pareto front is a line."""
    figure, axes = new_axes(5.0, 3.8)
    front = pareto_front(points)
    axes.plot([points[n][0] for n in front], [points[n][1] for n in front], color=MUTED, linewidth=1.0, zorder=1)
    for i, (name, (x, y)) in enumerate(points.items()):
        axes.scatter(x, y, s=36, color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)], zorder=2)
        axes.annotate(name, (x, y), xytext=(5, 5), textcoords="offset points", fontsize=8)
    axes.margins(0.2)
    axes.set(xlabel=x_name, ylabel=y_name)
    return figure


def _heatmaps(name: str, result: Mapping[str, Any]) -> Group:
    keys = [key for key in HEAT if key in result["pairs"]]
    if not keys:
        reason = result["figures"]["cosine/gap"]["reason"] or "nothing was paired"
        return Group(name, [undefined(f"heat-{slug(name)}", name, f"There are no pairs: {reason}.")])
    panels = []
    for key in keys:
        title = f"{MEASURES[key].title}, {name}"
        figure = pair_heatmap(result["pairs"][key])
        panels.append(drawn(f"heat-{slug(name, key)}", title, f"{title}, for each pair of scanners", figure))
    return Group(name, panels)


def pair_heatmap(pairs: Mapping[str, float]) -> Figure:
    """A number for each pair `a | b` of scanners, 0 to 1 from pale to dark."""
    names = list(dict.fromkeys(name for pair in pairs for name in pair.split(" | ")))
    table = np.full((len(names), len(names)), np.nan)
    for pair, value in pairs.items():
        a, b = (names.index(name) for name in pair.split(" | "))
        table[a, b] = table[b, a] = value
    side = 1.3 + 0.48 * len(names)
    figure, axes = new_axes(side + 0.6, side)
    axes.imshow(np.ma.masked_invalid(table), cmap="Blues", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(table):
        if math.isfinite(value):
            colour = "#ffffff" if value > 0.6 else "#101214"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    return figure


def _map(name: str, result: Mapping[str, Any]) -> Panel:
    drawing = result["map"]
    points = np.stack([drawing["x"], drawing["y"]], axis=1)
    styles = scanner_styles(sorted(set(drawing["scanner"])))
    share = drawing["share"]
    axes = (f"first, {share[0]:.0%} of variance", f"second, {share[1]:.0%}")
    figure = embedding_map(points, drawing["scanner"], styles, "by scanner", axes)
    return drawn(f"map-{slug(name)}", name, f"tiles of {name}, coloured by scanner", figure)


def _provenance(content: Mapping[str, Any]) -> Section:
    settings = content["settings"]
    rows = [
        Row([Cell(name), Cell(str(value) or "not given")])
        for name, value in settings.items()
        if not isinstance(value, Mapping) or value
    ]
    table = Table("provenance-table", "Settings", [Column("setting"), Column("value")], rows)
    return Section("provenance", "How this page was made", [table])
