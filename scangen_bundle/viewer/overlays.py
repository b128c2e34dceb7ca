"""What the overlays show of each tile, and how far the scanners lie apart there: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class TileValues:
    """The tiles of one scan.

    Attributes:
        corners: [n, 2] top-left corners (x, y) in level-0 px.
        side: (w, h) of a tile in level-0 px.
        attention: [n] weights that sum to 1, None where they are not known.
        probability: [n, C] what the network says of each tile alone, None where it is not known.
    """

    corners: np.ndarray
    side: tuple[float, float]
    attention: np.ndarray | None = None
    probability: np.ndarray | None = None

    @property
    def centres(self) -> np.ndarray:
        """[n, 2] in level-0 px."""
        return self.corners + np.asarray(self.side) / 2


def relative_attention(attention: np.ndarray) -> np.ndarray:
    """Attention times the number of tiles: 1 is what every tile would get if all were equal."""
    return np.asarray(attention, dtype=np.float64) * len(attention)


def attention_rank(attention: np.ndarray) -> np.ndarray:
    """Rank of each tile's attention within its scan as a share, 0 for the least and 1 for the most; ties share theirs."""
    order = np.sort(attention)
    low = np.searchsorted(order, attention, side="left")
    high = np.searchsorted(order, attention, side="right") - 1
    return (low + high) / 2 / max(len(order) - 1, 1)


def spread_scores(scans: Sequence[TileValues | None]) -> tuple[str, list[np.ndarray | None]]:
    """The score of each scan's tiles whose spread over scanners is shown.

    Returns:
        "probability" where the network's answer to each tile alone is known on all scans, else "attention" for the rank of
        the tiles' attention within their scan; and per scan the score [n, K], None where nothing is known. With two
        classes a probability has one column (class 1), with more it has one per class.
    """
    there = [tiles for tiles in scans if tiles is not None]
    if there and all(tiles.probability is not None for tiles in there):
        return "probability", [None if tiles is None else _probability_score(tiles) for tiles in scans]
    ranks = []
    for tiles in scans:
        attention = None if tiles is None else tiles.attention
        ranks.append(None if attention is None else attention_rank(attention)[:, None])
    return "attention", ranks


def _probability_score(tiles: TileValues) -> np.ndarray:
    probability = np.asarray(tiles.probability)
    return probability[:, 1:] if probability.shape[1] == 2 else probability


def spread_over_scanners(
    centres: Sequence[np.ndarray], scores: Sequence[np.ndarray], reach: Sequence[float]
) -> list[np.ndarray]:
    """How far the scanners lie apart at each tile of each scan: standard deviation (ddof = 1), the largest of any column.

    On every other scan the tile whose centre is nearest counts, if it is within `reach`. The tiles of two scans do not lie
    on one grid, so that part of the spread is tissue that one tile has and the other has not.

    Args:
        centres: per scan [n, 2], in one frame.
        scores: per scan [n, K].
        reach: per scan, how far the nearest tile may be.

    Returns:
        Per scan [n], NaN where no other scan has a tile.
    """
    from scipy.spatial import cKDTree

    trees = [cKDTree(points) if len(points) else None for points in centres]
    spreads = []
    for scan, points in enumerate(centres):
        columns = []
        for other, tree in enumerate(trees):
            if other == scan:
                columns.append(scores[scan])
            elif tree is not None and len(points):
                columns.append(_nearest(tree, scores[other], points, reach[other]))
        spreads.append(_largest_deviation(np.stack(columns)))
    return spreads


def _nearest(tree: object, scores: np.ndarray, points: np.ndarray, reach: float) -> np.ndarray:
    """Scores [n, K] of the nearest tiles, NaN where there is none within reach."""
    distance, index = tree.query(points, distance_upper_bound=reach)  # type: ignore[attr-defined]
    near = np.isfinite(distance)
    result = np.full((len(points), scores.shape[1]), np.nan)
    result[near] = scores[index[near]]
    return result


def _largest_deviation(values: np.ndarray) -> np.ndarray:
    """Of values [S, n, K] the standard deviation over scans, the largest of any column: [n], NaN with fewer than two."""
    there = np.isfinite(values)
    count = there.sum(axis=0)
    filled = np.where(there, values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    squares = (np.where(there, values - mean, 0.0) ** 2).sum(axis=0)
    deviation = np.sqrt(squares / np.maximum(count - 1, 1))
    return np.where(count >= 2, deviation, np.nan).max(axis=1)


def overlay_json(tiles: TileValues, pixel: tuple[float, float], spread: np.ndarray | None) -> dict[str, Any]:
    """The tiles as a browser draws them: corners and side in display px, and a list of values for each overlay.

    Args:
        tiles: of a scan.
        pixel: level-0 px per display px, (x, y).
        spread: [n] over scanners, None where it is not defined.
    """
    corners = np.rint(tiles.corners / np.asarray(pixel)).astype(np.int64)
    values: dict[str, np.ndarray] = {}
    if tiles.attention is not None:
        values["attention"] = relative_attention(tiles.attention)
    if tiles.probability is not None and tiles.probability.shape[1] == 2:
        values["probability"] = tiles.probability[:, 1]
    if spread is not None:
        values["spread"] = spread
    return {
        "x": corners[:, 0].tolist(),
        "y": corners[:, 1].tolist(),
        "side": [tiles.side[0] / pixel[0], tiles.side[1] / pixel[1]],
        "values": {name: _plain(column) for name, column in values.items()},
    }


def _plain(column: np.ndarray) -> list[float | None]:
    """Numbers for JSON, None for what is not defined."""
    return [round(value, 5) if value == value else None for value in column.tolist()]
