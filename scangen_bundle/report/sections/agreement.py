"""Does one specimen get one score, whichever scanner digitised it?"""

from __future__ import annotations

from itertools import combinations

import pandas as pd

from scangen_bundle.measures.agreement import BLAND_ALTMAN, COMPLETE_FIGURES, SPECIMEN_FIGURES, pair_name
from scangen_bundle.report.estimates import estimate
from scangen_bundle.report.figures import bland_altman_figure, score_scatter, specimen_lines
from scangen_bundle.report.figures.agreement import POINTS
from scangen_bundle.report.page import Cell, Column, Group, Panel, Row, Section, Table, drawn, undefined, unique_keys
from scangen_bundle.report.scores import paired_scores, specimen_scores
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.sections.figures_table import figures_table
from scangen_bundle.report.style import COLOURS

PAIRS = ("ccc", "abs_difference", "flip_rate", "cohen_kappa")


def pair_groups(context: Context, class_name: str, view: pd.DataFrame) -> list[Group]:
    """Score scatter and Bland-Altman plot of every pair of scanners."""
    pairs = list(combinations(context.scanners, 2))
    scatters: list[Panel] = []
    differences: list[Panel] = []
    names = [f"{class_name}-{first}-{second}" for first, second in pairs]
    keys = unique_keys(names)
    for name, (first, second) in zip(names, pairs, strict=True):
        both = paired_scores(view, first, second)
        shown = context.name(first), context.name(second)
        title = f"{shown[0]} and {shown[1]}, {len(both):,} specimens"
        if len(both) > POINTS:
            title += f" ({POINTS:,} drawn)"
        if both.empty:
            reason = f"No specimen has a score on both {first} and {second}."
            scatters.append(undefined(f"scatter-{keys[name]}", title, reason))
            differences.append(undefined(f"bland-altman-{keys[name]}", title, reason))
            continue
        scatter = score_scatter(both, shown, context.class_names, context.threshold)
        difference = bland_altman_figure(both, shown, context.class_names)
        scatters.append(
            drawn(f"scatter-{keys[name]}", title, f"Scores of the same specimens on {first} and {second}", scatter)
        )
        differences.append(
            drawn(f"bland-altman-{keys[name]}", title, f"Bland-Altman plot of {first} and {second}", difference)
        )
    if not pairs:
        reason = "Only one scanner: there is nothing to compare."
        scatters, differences = [undefined("scatter", "Scores", reason)], [undefined("bland-altman", "Scores", reason)]
    return [
        Group(
            f"Scores on two scanners, {class_name}",
            scatters,
            "One point per specimen. On the dashed diagonal the scanners agree. Dotted: the threshold; a point in the "
            "upper left or lower right part changes its class with the scanner.",
        ),
        Group(
            f"Bland-Altman, {class_name}",
            differences,
            "Difference of the two scores over their mean: bias and limits of agreement (bias -/+ 1.96 standard "
            "deviations of the differences).",
        ),
    ]


def lines_group(context: Context, class_name: str, view: pd.DataFrame) -> Group:
    """A panel per true class."""
    panels: list[Panel] = []
    keys = unique_keys([f"lines-{class_name}-{name}" for name in context.class_names])
    for label, name in enumerate(context.class_names):
        key = keys[f"lines-{class_name}-{name}"]
        mine = view[view["label"] == label]
        if mine.empty:
            panels.append(undefined(key, name, f"No scan is labelled {name}."))
            continue
        scores = specimen_scores(mine, context.scanners)
        scores.columns = [context.name(scanner) for scanner in scores.columns]
        figure = specimen_lines(scores, name, COLOURS[label % len(COLOURS)], context.threshold, context.seed)
        panels.append(drawn(key, f"True class: {name}", f"Scores of each specimen of class {name}", figure))
    return Group(
        f"Every specimen across its scanners, score for {class_name}",
        panels,
        "A line per specimen. Level lines mean that the scanner does not matter; the thick line is the mean.",
    )


def agreement_section(context: Context) -> Section:
    """Agreement overall and per pair of scanners, then the figures of each class."""
    definitions = context.metrics["definitions"]
    rows = [
        Row(
            [
                Cell(definitions[name]["title"]),
                estimate(context.metrics, name).cell(),
                Cell(definitions[name]["meaning"], kind="wide"),
            ]
        )
        for name in (*SPECIMEN_FIGURES, *COMPLETE_FIGURES)
    ]
    summary = Table(
        "agreement-figures",
        "Agreement of the scans of one specimen",
        [Column("figure"), Column("value and 95 % CI"), Column("meaning")],
        rows,
    )
    pairs = figures_table(
        context,
        "agreement-pairs",
        "Agreement per pair of scanners",
        PAIRS if len(context.views) > 1 else (*PAIRS, *BLAND_ALTMAN),  # of several classes the differences cancel out
        [
            (pair_name(first, second), f"{context.name(first)} vs {context.name(second)}")
            for first, second in combinations(sorted(context.scanners), 2)
        ],
        ["Second line: 95 % confidence interval."],
        "pair of scanners",
    )
    groups = [
        group
        for name, view in context.views.items()
        for group in (lines_group(context, name, view), *pair_groups(context, name, view))
    ]
    return Section("agreement", "Agreement between scanners", [summary, pairs, *groups])
