"""Figures: arrays or tables in, a matplotlib Figure out; no pyplot, no files."""

from scangen_bundle.report.figures.agreement import bland_altman_figure, score_scatter, specimen_lines
from scangen_bundle.report.figures.discrimination import reliability_figure, roc_figure
from scangen_bundle.report.figures.embedding import embedding_map, project_tsne
from scangen_bundle.report.figures.estimates import estimates_figure
from scangen_bundle.report.figures.history import history_figure
from scangen_bundle.report.figures.matrix import heatmap, pair_heatmap
from scangen_bundle.report.figures.pareto import pareto_figure, pareto_front

__all__ = [
    "bland_altman_figure",
    "embedding_map",
    "estimates_figure",
    "heatmap",
    "history_figure",
    "pair_heatmap",
    "pareto_figure",
    "pareto_front",
    "project_tsne",
    "reliability_figure",
    "roc_figure",
    "score_scatter",
    "specimen_lines",
]
