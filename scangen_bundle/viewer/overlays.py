"""What the overlays show of each tile, and how far the scanners lie apart there: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy.spatial import cKDTree


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
    ordered = np.sort(attention)
    first = np.searchsorted(ordered, attention, side="left")
    last = np.searchsorted(ordered, attention, side="right") - 1
    return (first + last) / 2 / max(len(ordered) - 1, 1)


def spread_scores(scans: Sequence[TileValues | None]) -> tuple[str, list[np.ndarray | None]]:
    """The score of each scan's tiles whose spread over scanners is shown.

    Returns:
        "probability" where the network's answer to each tile alone is known on all scans, else "attention" for the rank of
        the tiles' attention within their scan; and per scan the score [n, K], None where nothing is known. With two
        classes a probability has one column (class 1), with more it has one per class.
    """
    is_known = [tiles.probability is not None for tiles in scans if tiles is not None]
    if is_known and all(is_known):
        return "probability", [_probability_score(tiles) for tiles in scans]
    return "attention", [_attention_score(tiles) for tiles in scans]


def _probability_score(tiles: TileValues | None) -> np.ndarray | None:
    if tiles is None or tiles.probability is None:
        return None
    return tiles.probability[:, 1:] if tiles.probability.shape[1] == 2 else tiles.probability


def _attention_score(tiles: TileValues | None) -> np.ndarray | None:
    if tiles is None or tiles.attention is None:
        return None
    return attention_rank(tiles.attention)[:, None]


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

    trees = [cKDTree(points) for points in centres]
    spreads = []
    for scan, points in enumerate(centres):
        columns = [scores[scan]]
        for other, tree in enumerate(trees):
            if other != scan:
                columns.append(_nearest(tree, scores[other], points, reach[other]))
        spreads.append(_largest_deviation(np.stack(columns)))
    return spreads


def _nearest(tree: cKDTree, scores: np.ndarray, points: np.ndarray, reach: float) -> np.ndarray:
    """Scores [n, K] of the nearest tiles, NaN where there is none within reach."""
    nearest = np.full((len(points), scores.shape[1]), np.nan)
    if len(scores) and len(points):
        distance, index = tree.query(points, distance_upper_bound=reach)
        near = np.isfinite(distance)
        nearest[near] = scores[index[near]]
    return nearest


def _largest_deviation(values: np.ndarray) -> np.ndarray:
    """Of values [S, n, K] the standard deviation over scans, the largest of any column: [n], NaN with fewer than two."""
    defined = np.isfinite(values)
    count = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    mean = total / np.maximum(count, 1)
    squares = np.where(defined, values - mean, 0.0) ** 2
    deviation = np.sqrt(squares.sum(axis=0) / np.maximum(count - 1, 1))
    deviation[count < 2] = np.nan
    return deviation.max(axis=1)


def overlay_json(tiles: TileValues, pixel: tuple[float, float], spread: np.ndarray | None) -> dict[str, Any]:
    """The tiles as a browser draws them: corners and side in display px, and a list of values for each overlay.

    Args:
        tiles: of a scan.
        pixel: level-0 px per display px, (x, y).
        spread: [n] over scanners, None where it is not defined.
    """
    x, y = np.rint(tiles.corners / np.asarray(pixel)).astype(np.int64).T
    width, height = tiles.side
    values: dict[str, np.ndarray] = {}
    if tiles.attention is not None:
        values["attention"] = relative_attention(tiles.attention)
    if tiles.probability is not None and tiles.probability.shape[1] == 2:
        values["probability"] = tiles.probability[:, 1]
    if spread is not None:
        values["spread"] = spread
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "side": [width / pixel[0], height / pixel[1]],
        "values": {name: _plain(column) for name, column in values.items()},
    }


def _plain(column: np.ndarray) -> list[float | None]:
    """Numbers for JSON, None for what is not defined."""
    return [round(value, 5) if value == value else None for value in column.tolist()]
