"""The leaderboard page: one row per encoder, robustness against task performance, scanner pairs, maps of tiles."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scangen_bundle.encoder_benchmark.catalogue import COLOUR, KNOWN, MEASURES, OF_SCANNER
from scangen_bundle.encoder_benchmark.leaderboard_figures import heatmap, pair_heatmap, pareto_figure
from scangen_bundle.files import write_atomically
from scangen_bundle.report.estimates import estimate
from scangen_bundle.report.figures import embedding_map
from scangen_bundle.report.html import render
from scangen_bundle.report.page import Cell, Column, Findings, Group, Panel, Row, Section, Table, drawn, slug, undefined
from scangen_bundle.report.style import scanner_styles

ROBUSTNESS = ("robustness_index", "retrieval/top1", "performance_drop/id")  # each against the task
TASK = ("downstream/auroc_mean", "label_probe/linear")  # the first that is defined
ARROWS = {"high": " ↑", "low": " ↓", "": ""}
OVERVIEW = (
    "cosine/gap",
    "retrieval/top1",
    "variance/scanner",
    "scanner_probe/linear",
    "robustness_index",
    "performance_drop/id",
    "downstream/auroc_mean",
    "downstream/auroc_worst",
    "downstream/flip_rate",
)
TABLES = {
    "Paired: the same tissue on two scanners": ("cosine", "retrieval", "cka", "variance", "shift"),
    "Pairs of slides that differ in scanner, stain or both, as plism-benchmark groups them": ("stain_pairs",),
    "Unpaired: what the features know": (
        "scanner_probe",
        "silhouette",
        "label_probe",
        "robustness_index",
        "generalisation_index",
        "clustering_score",
        "performance_drop",
    ),
    "Downstream: one MIL head, trained on each encoder's features": ("downstream",),
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
        _scanner_section(encoders),
        Section("pairs", "Pairs of scanners", [_heatmaps(name, result) for name, result in encoders.items()]),
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
        ),
        _provenance(content),
    ]
    page = render(sections, "How scanner-sensitive is each encoder?", "Leaderboard")
    with write_atomically(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _ranking(content: Mapping[str, Any]) -> Section:
    encoders = content["encoders"]
    defined = {
        name: [key for key in KNOWN if key.split("/")[0] in groups and _any_defined(encoders, key)]
        for name, groups in TABLES.items()
    }
    overview = _table("Overview", encoders, [key for key in OVERVIEW if _any_defined(encoders, key)], facts=True)
    missing = [
        Row([Cell(name), *[Cell("not measured", None, reason, "undefined")], *[Cell("")] * (len(overview.columns) - 2)])
        for name, reason in content["failed"].items()
    ]
    blocks: list[Table | Group | Findings] = [replace(overview, rows=[*overview.rows, *missing])]
    blocks += [_table(name, encoders, keys) for name, keys in defined.items() if keys]
    text = [
        "Second line of a cell: 95 % confidence interval (patients drawn with all of their specimens), then the baseline "
        "[in brackets]; a scanner probe's also by colour statistics. Exact: a share that is 0 or 1 in every resample has its "
        "binomial interval. ↑ higher is better, ↓ lower is better. Click a column's head to sort.",
        "A high cosine alone says nothing: a space where all tissue looks alike has it, too. Read the gap and the retrieval.",
    ]
    return Section("ranking", "Encoders", [*blocks, _said(content)], text)


def _table(caption: str, encoders: Mapping[str, Any], keys: Sequence[str], facts: bool = False) -> Table:
    columns = [Column("encoder")]
    columns += [Column(KNOWN[key].title + ARROWS[KNOWN[key].better], KNOWN[key].help) for key in keys]
    if facts:  # last, so that a narrow page shows the figures first
        columns += [Column("tiles/s", "measured in this run, encoder only"), Column("D", "length of a vector")]
        columns += [Column("parameters, M"), Column("licence")]
    rows = []
    for name, result in encoders.items():
        known = result["encoder"]
        cells = [Cell(name, detail=known["domain"])]
        cells += [_figure(encoders, name, key) for key in keys]
        if facts:
            cells += [_number(known["tiles_per_second"], 0), Cell(str(known["dim"]), known["dim"])]
            cells += [_number(known["parameters"], 1), Cell(known["licence"] or "unknown")]
        rows.append(Row(cells))
    return Table(f"ranking-{slug(caption)}", caption, columns, rows)


def _any_defined(encoders: Mapping[str, Any], key: str) -> bool:
    return any(_value(result, key) is not None for result in encoders.values())


def _figure(encoders: Mapping[str, Any], name: str, key: str) -> Cell:
    found = estimate(encoders[name], key)
    if not math.isfinite(found.value):
        return found.cell()
    method = f", {found.method}" if found.method else ""
    interval = f"{found.low:.3f} to {found.high:.3f}{method}" if math.isfinite(found.low) else ""
    baseline = encoders[name]["figures"][key]["baseline"]
    beside = [] if baseline is None else [f"{baseline:.3f}"]
    if key.startswith("scanner_probe/") and name != COLOUR and COLOUR in encoders:
        colour = _value(encoders[COLOUR], key)
        beside += [] if colour is None else [f"colour {colour:.3f}"]
    brackets = f"[{', '.join(beside)}]" if beside else ""
    return Cell(f"{found.value:.3f}", found.value, f"{interval} {brackets}".strip())


def _number(value: float | None, digits: int) -> Cell:
    return Cell("unknown") if value is None else Cell(f"{value:,.{digits}f}", value)


def _said(content: Mapping[str, Any]) -> Findings:
    """What a reader has to know before trusting the tables; what holds for several encoders is said once."""
    said: dict[str, list[str]] = {}
    for name, result in content["encoders"].items():
        for sentence in _said_of(result):
            said.setdefault(sentence, []).append(name)
    sentences = [f"{name} is not measured: {reason}" for name, reason in content["failed"].items()]
    sentences += [f"{', '.join(names)}: {sentence}" for sentence, names in said.items()]
    sentences += content["warnings"]
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
            noted.setdefault(entry["note"], []).append(KNOWN[key].title)
    sentences += [f"{', '.join(titles)}: {note}." for note, titles in noted.items()]
    for kind, what in (("reason", "undefined"), ("interval_reason", "no interval")):
        keys: dict[str, list[str]] = {}
        for key, entry in result["figures"].items():
            if entry[kind] and not (kind == "interval_reason" and entry["reason"]):
                keys.setdefault(entry[kind], []).append(KNOWN[key].title)
        every = len(result["figures"])
        sentences += [
            f"{what} ({why}): {'all measures' if len(names) == every else ', '.join(names)}."
            for why, names in keys.items()
        ]
    return sentences


def _scatter_section(encoders: Mapping[str, Any]) -> Section:
    title = "Robustness against task performance"
    task = next((key for key in TASK if _any_defined(encoders, key)), None)
    robust = [key for key in ROBUSTNESS if _any_defined(encoders, key)]
    if task is None or not robust:
        missing = "task performance (no labels)" if task is None else "robustness"
        panels = [undefined("scatter-all", title, f"There is no {missing} of any encoder.")]
    else:
        panels = [_scatter(encoders, task, key) for key in robust]
    text = [
        "Encoders on the line are on the Pareto front: none other is better in both. The dotted lines are the baselines: an "
        "encoder near the vertical one is robust in nothing that matters."
    ]
    return Section("scatter", title, [Group(title, panels)], text)


def _scatter(encoders: Mapping[str, Any], task: str, robust: str) -> Panel:
    points, baselines = {}, []
    for name, result in encoders.items():
        x, y = _value(result, task), _value(result, robust)
        if x is not None and y is not None:
            points[name] = (x, y)
            baselines.append((result["figures"][task]["baseline"], result["figures"][robust]["baseline"]))
    title = f"{MEASURES[robust].title} against {MEASURES[task].title}"
    if not points:
        return undefined(f"scatter-{slug(robust)}", title, "No encoder has both.")
    figure = pareto_figure(points, MEASURES[task].title, MEASURES[robust].title, baselines[0])
    return drawn(f"scatter-{slug(robust)}", title, title, figure)


def _scanner_section(encoders: Mapping[str, Any]) -> Section:
    """Each encoder on each scanner."""
    panels = []
    for key, what in OF_SCANNER.items():
        found = {name: result["scanners"].get(key, {}) for name, result in encoders.items()}
        scanners = sorted({scanner for of_scanner in found.values() for scanner in of_scanner})
        if not scanners:
            continue
        table = np.array(
            [
                [math.nan if (value := of_scanner.get(s, {}).get("value")) is None else value for s in scanners]
                for of_scanner in found.values()
            ]
        )
        title = what.title + ARROWS[what.better]
        panels.append(drawn(f"scanner-{slug(key)}", title, what.help, heatmap(table, list(found), scanners)))
    if not panels:
        panels = [undefined("scanner-none", "Scanners", "Nothing is defined on single scanners.")]
    return Section("scanners", "Scanners", [Group("Each encoder on each scanner", panels)])


def _value(result: Mapping[str, Any], key: str) -> float | None:
    return result["figures"].get(key, {}).get("value")


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


def _maps(name: str, result: Mapping[str, Any]) -> list[Panel]:
    drawing = result["map"]
    points = np.stack([drawing["x"], drawing["y"]], axis=1)
    share = drawing["share"]
    axes = (f"first, {share[0]:.0%} of variance", f"second, {share[1]:.0%}")
    labels = ["unlabelled" if label < 0 else f"label {label}" for label in drawing["label"]]
    panels = []
    for what, groups in (("scanner", drawing["scanner"]), ("label", labels)):
        if what == "label" and len(set(groups)) < 2:
            continue
        figure = embedding_map(points, groups, scanner_styles(sorted(set(groups))), f"by {what}", axes)
        title = f"{name}, by {what}"
        panels.append(drawn(f"map-{slug(name, what)}", title, f"tiles of {name}, coloured by {what}", figure))
    return panels


def _provenance(content: Mapping[str, Any]) -> Section:
    settings = content["settings"]
    rows = [
        Row([Cell(name), Cell(str(value) or "not given")])
        for name, value in settings.items()
        if not isinstance(value, Mapping) or value
    ]
    table = Table("provenance-table", "Settings", [Column("setting"), Column("value")], rows)
    return Section("provenance", "How this page was made", [table])
