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
TASK = ("downstream/auroc_mean", "label_probe/linear")
ARROWS = {"high": " ↑", "low": " ↓", "": ""}
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
    keys = [key for key in MEASURES if any(key in result["figures"] for result in encoders.values())]
    columns = [Column("encoder")]
    columns += [Column("D", "length of a vector"), Column("parameters, M"), Column("licence")]
    columns += [Column("tiles/s", "measured in this run, encoder only, one machine")]
    columns += [Column(MEASURES[key].title + ARROWS[MEASURES[key].better], MEASURES[key].help) for key in keys]
    rows = []
    for name, result in encoders.items():
        facts = result["encoder"]
        cells = [Cell(name, detail=facts["domain"]), Cell(str(facts["dim"]), facts["dim"])]
        cells += [_number(facts["parameters"], 1), Cell(facts["licence"] or "unknown")]
        cells += [_number(facts["tiles_per_second"], 0)]
        rows.append(Row([*cells, *(_figure(result, key) for key in keys)]))
    notes = [
        "Second line of a cell: 95 % confidence interval (patients drawn with all of their specimens), then the baseline "
        "[in brackets]. ↑ higher is better, ↓ lower is better. Click a column's head to sort.",
        "A high cosine alone says nothing: a space where all tissue looks alike has it, too. Read the gap and the retrieval.",
    ]
    return Section(
        "ranking", "Encoders", [Table("ranking-table", "One row per encoder", columns, rows, notes), _said(content)]
    )


def _figure(result: Mapping[str, Any], key: str) -> Cell:
    cell = estimate(result, key).cell()
    entry = result["figures"].get(key, {})
    if cell.number is not None and entry.get("baseline") is not None:
        return Cell(cell.text, cell.number, f"{cell.detail} [{entry['baseline']:.3f}]".strip(), cell.kind)
    return cell


def _number(value: float | None, digits: int) -> Cell:
    return Cell("unknown") if value is None else Cell(f"{value:,.{digits}f}", value)


def _said(content: Mapping[str, Any]) -> Findings:
    """What a reader has to know before trusting the table."""
    sentences = []
    names = {
        "tile": "places are fields of view that were registered",
        "scan": "tiles do not correspond: scans' means are paired",
    }
    for name, result in content["encoders"].items():
        counts = result["counts"]
        level = names.get(result["level"], "nothing could be paired")
        sentences.append(
            f"{name}: {counts['specimens']} specimens of {counts['patients']} patients, {counts['scanners']} scanners, "
            f"{counts['tiles']:,} tiles, {counts['places']:,} places; {level}."
        )
        sentences += [f"{name}: {warning}" for warning in result["warnings"]]
        sentences += [f"{name}: {slide} is left out: {reason}" for slide, reason in result["left_out"].items()]
        undefined_keys: dict[str, list[str]] = {}
        for key, entry in result["figures"].items():
            if entry["reason"]:
                undefined_keys.setdefault(entry["reason"], []).append(MEASURES[key].title)
        sentences += [f"{name}: undefined because {why}: {', '.join(keys)}." for why, keys in undefined_keys.items()]
    errors = list(content["registration"]["error_um"].values())
    if errors:
        sentences.append(
            f"Registration error: median {np.median(errors):.1f} µm, worst {max(errors):.1f} µm over {len(errors)} specimens "
            "(matched points that the fit did not see; the worst scan of each specimen)."
        )
    left = content["registration"]["left_out"]
    sentences += [f"Specimen {name} is not paired: {reason}." for name, reason in left.items()]
    return Findings(sentences)


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
