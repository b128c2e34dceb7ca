"""Does one specimen get one score, whichever scanner digitised it?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from scangen_bundle.measures.prediction_measure import AGREEMENT, PAIRS
from scangen_bundle.measures.predictions import BETWEEN
from scangen_bundle.report.estimates import estimate
from scangen_bundle.report.figures import bland_altman_figure, heatmap, score_scatter, specimen_lines
from scangen_bundle.report.figures.agreement import POINTS
from scangen_bundle.report.page import Block, Group, Panel, Section, Table, drawn, undefined, unique_keys
from scangen_bundle.report.ranking import rank_specimens
from scangen_bundle.report.scores import paired_scores, specimen_scores
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.sections.figures_table import INTERVALS, figures_table, group_tables
from scangen_bundle.report.sections.headline import alerts
from scangen_bundle.report.style import COLOURS
from scangen_bundle.report.words import measures_of, pair_scopes

MOST_PAIRS_DRAWN = 4  # of more pairs, those whose scores differ most are drawn
MATRICES = (
    ("difference", "Mean difference of a specimen's scores", lambda x, y: float(np.abs(x - y).mean())),
    ("flips", "Share of specimens that change class", lambda x, y: float((x != y).mean())),
)


def drawn_pairs(context: Context) -> list[tuple[str, str]]:
    """Pairs of scanners that have plots of their own, in the scanners' order."""
    scopes = pair_scopes(context.metrics)
    differences = {scope: estimate(context.metrics, f"abs_difference/{scope}").value for scope in scopes}
    largest = sorted(scopes, key=lambda scope: (math.isnan(differences[scope]), -differences[scope]))
    place = {scanner: number for number, scanner in enumerate(context.scanners)}
    pairs = []
    for scope in largest[:MOST_PAIRS_DRAWN]:
        first, second = sorted(scope.split(BETWEEN), key=place.__getitem__)
        pairs.append((first, second))
    return sorted(pairs, key=lambda pair: (place[pair[0]], place[pair[1]]))


def drawn_pairs_note(context: Context) -> str:
    """Which pairs are drawn, where that is not all of them."""
    count = context.metrics["cohort"]["pairs"]
    if count <= MOST_PAIRS_DRAWN:
        return ""
    return f" Drawn: of {count:,} pairs the {MOST_PAIRS_DRAWN} whose scores differ most."


def pair_groups(context: Context, class_name: str, view: pd.DataFrame) -> list[Group]:
    """Score scatter and Bland-Altman plot of the pairs of scanners."""
    pairs = drawn_pairs(context)
    keys = unique_keys([f"{class_name}-{first}-{second}" for first, second in pairs])
    scatters: list[Panel] = []
    differences: list[Panel] = []
    for key, (first, second) in zip(keys.values(), pairs, strict=True):
        both = paired_scores(view, first, second)
        names = context.name(first), context.name(second)
        sample = f" ({POINTS:,} drawn)" if len(both) > POINTS else ""
        title = f"{names[0]} and {names[1]}, {len(both):,} specimens{sample}"
        if both.empty:
            reason = f"No specimen has a score on both {first} and {second}."
            scatters.append(undefined(f"scatter-{key}", title, reason))
            differences.append(undefined(f"bland-altman-{key}", title, reason))
            continue
        scatter = score_scatter(both, names, context.class_names, context.threshold)
        difference = bland_altman_figure(both, names, context.class_names)
        what = f"Scores of the same specimens on {first} and {second}"
        scatters.append(drawn(f"scatter-{key}", title, what, scatter))
        differences.append(
            drawn(f"bland-altman-{key}", title, f"Bland-Altman plot of {first} and {second}", difference)
        )
    if not pairs:
        reason = "Only one scanner: there is nothing to compare."
        scatters, differences = [undefined("scatter", "Scores", reason)], [undefined("bland-altman", "Scores", reason)]
    return [
        Group(
            f"Scores on two scanners, {class_name}",
            scatters,
            "One point per specimen. On the dashed diagonal the scanners agree. Dotted: the threshold; a point in the "
            "upper left or lower right part changes its class with the scanner." + drawn_pairs_note(context),
        ),
        Group(
            f"Bland-Altman, {class_name}",
            differences,
            "Difference of the two scores over their mean: bias and limits of agreement (bias -/+ 1.96 standard "
            "deviations of the differences)." + drawn_pairs_note(context),
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
        scores = specimen_scores(mine, context.drawn_scanners)
        scores.columns = [context.name(scanner) for scanner in scores.columns]
        figure = specimen_lines(scores, name, COLOURS[label % len(COLOURS)], context.threshold, context.seed)
        panels.append(drawn(key, f"True class: {name}", f"Scores of each specimen of class {name}", figure))
    return Group(
        f"Every specimen across its scanners, score for {class_name}",
        panels,
        "A line per specimen. Level lines mean that the scanner does not matter; the thick line is the mean."
        + context.drawn_note,
    )


def matrix_group(context: Context) -> Group:
    """Every pair of scanners in one picture: how far the scores lie apart, and how often the class changes."""
    ranked = rank_specimens(context.drawable, context.scanners, context.threshold)
    names = [context.name(scanner) for scanner in context.scanners]
    panels = []
    for key, title, of_pair in MATRICES:
        values = ranked.classes if key == "flips" else ranked.scores
        table = np.full((len(names), len(names)), np.nan)
        for i in range(len(names)):
            for j in range(i):
                both = np.isfinite(values[:, i]) & np.isfinite(values[:, j])
                if both.any():
                    table[i, j] = of_pair(values[both, i], values[both, j])
        top = max(0.1, float(np.nanmax(table, initial=0.0)))
        figure = heatmap(table[1:, :-1], names[1:], names[:-1], top)
        panels.append(drawn(f"matrix-{key}", title, f"{title}, a cell for each pair of scanners", figure))
    return Group("Pairs of scanners", panels, "The darker, the less two scanners agree. Blank: no specimen in common.")


def pairs_table(context: Context) -> Table:
    """A row per pair of scanners."""
    scopes = pair_scopes(context.metrics)
    figures = context.metrics["figures"]
    names = [
        name
        for name in (*measures_of(context.metrics, PAIRS), *measures_of(context.metrics, AGREEMENT))
        if any(f"{name}/{scope}" in figures for scope in scopes)
    ]
    rows = []
    for scope in scopes:
        first, second = scope.split(BETWEEN)
        rows.append((scope, f"{context.name(first)} vs {context.name(second)}"))
    notes = [INTERVALS]
    count = context.metrics["cohort"]["pairs"]
    if count > len(scopes):
        notes.append(f"Of {count:,} pairs, the {len(scopes)} whose scores differ most.")
    return figures_table(
        context, "agreement-pairs", "Agreement per pair of scanners", names, rows, notes, "pair of scanners"
    )


def agreement_section(context: Context) -> Section:
    """Agreement overall and per pair of scanners, then the plots of each class."""
    blocks: list[Block] = [*alerts([context.metrics])]
    blocks += group_tables(context, AGREEMENT, "Agreement per scanner")
    if len(context.scanners) > 1:
        blocks.append(matrix_group(context))
    blocks.append(pairs_table(context))
    for name, view in context.views.items():
        blocks += [lines_group(context, name, view), *pair_groups(context, name, view)]
    return Section("agreement", "Agreement between scanners", blocks)
