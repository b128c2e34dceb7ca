"""Slide embeddings in two dimensions, coloured by scanner or by label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from scangen_bundle.report.style import MANY_POINTS, ScannerStyle, legend_below, new_axes


def project_tsne(embeddings: np.ndarray, seed: int = 0) -> np.ndarray:
    """t-SNE [n, 2] on cosine distances, the distance that ScanGen trains.

    Neighbours mean something, distances between groups do not (L. van der Maaten and G. Hinton, Journal of Machine
    Learning Research 9, 2008, 2579-2605).
    """
    from sklearn.manifold import TSNE

    perplexity = float(np.clip((len(embeddings) - 1) / 4, 2, 30))
    return TSNE(2, perplexity=perplexity, metric="cosine", init="random", random_state=seed).fit_transform(
        np.asarray(embeddings, dtype=np.float32)
    )


def embedding_map(
    points: np.ndarray,
    groups: Sequence[object],
    styles: dict[str, ScannerStyle],
    title: str,
    axis_names: tuple[str, str] = ("", ""),
    names: Sequence[str] = (),
) -> Figure:
    """Scatter of [n, 2] points, each with the colour and marker of its group.

    Args:
        points: [n, 2].
        groups: [n] keys of `styles`.
        styles: drawn and listed in this order.
        title: above the axes.
        axis_names: x and y; empty hides the ticks, for axes without meaning.
        names: [n] of the points, shown on hovering; empty for none.
    """
    figure, axes = new_axes(height=3.6)
    of = np.asarray([str(group) for group in groups])
    for key, style in styles.items():
        mine = of == key
        if mine.any():
            drawn = axes.scatter(
                points[mine, 0],
                points[mine, 1],
                s=20 if len(points) < 200 else 13,
                marker=style.marker,
                facecolors=style.colour,
                edgecolors="none",
                alpha=0.75,
                label=style.name,
                rasterized=len(points) > MANY_POINTS,
            )
            if len(names):
                figure.name_points(drawn, [str(name) for name in np.asarray(names, dtype=object)[mine]])
    axes.set(title=title, xlabel=axis_names[0], ylabel=axis_names[1])
    if not any(axis_names):
        axes.set(xticks=[], yticks=[])
    legend_below(figure)
    return figure
