"""What do the slide embeddings cluster by: the label, or the scanner?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from scangen_bundle.measures.evaluate_embeddings import COLOUR_SUFFIX
from scangen_bundle.measures.feature_measure import feature_measures
from scangen_bundle.measures.measure import ARROWS
from scangen_bundle.report.estimates import cell
from scangen_bundle.report.figures import embedding_map, project_tsne
from scangen_bundle.report.page import Cell, Column, Group, Panel, Row, Section, Table, drawn, undefined
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.style import scanner_styles
from scangen_bundle.statistics.estimate import Estimate
from scangen_bundle.statistics.pca import project_pca

MOST_POINTS = 2000  # t-SNE of more takes minutes
FEWEST_POINTS = 5


def embedding_section(context: Context, embeddings: np.ndarray) -> Section:
    """PCA and t-SNE, by scanner and by label.

    Args:
        context: `predictions` has a row per embedding.
        embeddings: [n, E], in the order of the predictions.
    """
    embeddings = np.asarray(embeddings, dtype=np.float32)
    if len(embeddings) != len(context.predictions):
        raise ValueError(f"expected one embedding per scan, {len(context.predictions)}, got {len(embeddings)}")
    keep = np.isfinite(embeddings).all(axis=1) & (np.linalg.norm(embeddings, axis=1) > 0)
    rows = np.nonzero(keep)[0]
    if len(rows) > MOST_POINTS:
        rows = np.sort(np.random.default_rng(context.seed).choice(rows, MOST_POINTS, replace=False))
    title = "Slide embeddings"
    if len(rows) < FEWEST_POINTS:
        reason = f"Only {len(rows)} scans have a finite embedding; a map needs {FEWEST_POINTS}."
        return Section("embedding", title, [Group("Maps", [undefined("embedding-pca", "Map", reason)])], folded=True)
    scans, points = context.predictions.iloc[rows], embeddings[rows]
    sample = f" A sample of {len(rows):,} of {len(embeddings):,} scans is drawn." if len(rows) < len(embeddings) else ""
    pca, share = project_pca(points)
    groups = [
        Group(
            "Principal components",
            _maps(context, scans, pca, "pca", (f"first, {share[0]:.0%} of variance", f"second, {share[1]:.0%}")),
            f"The two directions in which the embeddings differ most.{sample}",
        ),
        Group(
            "t-SNE on cosine distances",
            _maps(context, scans, project_tsne(points, context.seed), "tsne", ("", "")),
            "Neighbours mean something; distances between groups, and their sizes, do not.",
        ),
    ]
    blocks = [_figures_table(context)] if "embedding" in context.metrics else []
    text = [
        "Each point is a scan. If the points of a colour keep together on the map by scanner, the network still sees the "
        "scanner; on the map by label, keeping together is what one wants."
    ]
    return Section("embedding", title, [*blocks, *groups], text, folded=True)


def _figures_table(context: Context) -> Table:
    rows = []
    for key, entry in context.metrics["embedding"].items():
        of_colours = key.endswith(COLOUR_SUFFIX)
        measure = feature_measures().get(key.removesuffix(COLOUR_SUFFIX))
        if measure is None:
            continue  # a plugin's, which is not loaded now
        title = f"{measure.title}, of colours" if of_colours else measure.title
        meaning = "The same from the scans' colours alone." if of_colours else measure.help
        value = Estimate.from_json(entry)
        rows.append(
            Row(
                [
                    Cell(f"{title}{ARROWS[measure.better]}"),
                    cell(value),
                    _baseline(value.baseline),
                    Cell(meaning, kind="wide"),
                ]
            )
        )
    columns = [Column("metric"), Column("value and 95 % CI"), Column("baseline"), Column("meaning")]
    return Table("embedding-figures", "What the embeddings know", columns, rows)


def _baseline(value: float) -> Cell:
    return Cell(f"{value:.3f}", value) if math.isfinite(value) else Cell("", kind="undefined")


def _maps(
    context: Context, scans: pd.DataFrame, points: np.ndarray, method: str, axis_names: tuple[str, str]
) -> list[Panel]:
    names = [context.class_names[i] if 0 <= i < len(context.class_names) else "unlabelled" for i in scans["label"]]
    points_names = [f"{slide}, {name}" for slide, name in zip(scans["slide_id"], names, strict=True)]
    by_label = scanner_styles([name for name in [*context.class_names, "unlabelled"] if name in names])
    return [
        drawn(
            f"embedding-{method}-scanner",
            "Coloured by scanner",
            f"{method} map of the slide embeddings coloured by scanner",
            embedding_map(points, list(scans["scanner"]), context.styles, "by scanner", axis_names, points_names),
        ),
        drawn(
            f"embedding-{method}-label",
            "Coloured by label",
            f"{method} map of the slide embeddings coloured by label",
            embedding_map(points, names, by_label, "by label", axis_names, points_names),
        ),
    ]
