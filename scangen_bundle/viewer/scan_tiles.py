"""Tiles and registration of a specimen's scans put together: what the overlays need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scangen_bundle.viewer.linking import ScanFrame
from scangen_bundle.viewer.overlays import TileValues, spread_over_scanners, spread_scores
from scangen_bundle.viewer.registering import LinkedScan
from scangen_bundle.viewer.tile_values import KnownTiles

REACH = 0.75  # sides of a tile: on another grid, the nearest tile's centre is at most 0.71 away


@dataclass(frozen=True, eq=False)
class ScanTiles:
    """The tiles of one scan of a specimen.

    Attributes:
        tiles: with their values, None where nothing is known of them.
        frame: of the scan, None where its slide cannot be read.
        spread: [n] over the scanners, None where the scan is not linked to another one.
        reason: why nothing is known of the tiles, or why the slide cannot be read; "" where all is well.
    """

    tiles: TileValues | None
    frame: ScanFrame | None
    spread: np.ndarray | None
    reason: str


def join_tiles(linked: Sequence[LinkedScan], known: Sequence[KnownTiles]) -> tuple[str, list[ScanTiles]]:
    """The tiles of a specimen's scans with their spread over the linked ones.

    Returns:
        Of what the spread is ("probability" or "attention"), and the scans.
    """
    tiles = [entry.tiles for entry in known]
    spread_of, scores = spread_scores(tiles)
    spreads = linked_spreads(linked, tiles, scores)
    scans = []
    for scan, entry, spread in zip(linked, known, spreads, strict=True):
        reason = entry.reason
        if not reason and scan.frame is None:
            reason = scan.reason
        scans.append(ScanTiles(entry.tiles, scan.frame, spread, reason))
    return spread_of, scans


def linked_spreads(
    linked: Sequence[LinkedScan], tiles: Sequence[TileValues | None], scores: Sequence[np.ndarray | None]
) -> list[np.ndarray | None]:
    """Spread [n] of each scan's tiles over the linked scans; None for a scan that is not linked or not known.

    Args:
        linked: the scans.
        tiles: of each scan.
        scores: [n, K] of each scan's tiles, see `overlays.spread_scores`.
    """
    positions, centres, columns, reach = [], [], [], []
    for position, (scan, values, score) in enumerate(zip(linked, tiles, scores, strict=True)):
        if not scan.linked or scan.placement is None or scan.frame is None or values is None or score is None:
            continue
        pixel = np.asarray(scan.frame.pixel)
        side = max(values.side / pixel) * scan.placement.scale
        positions.append(position)
        centres.append(scan.placement.apply(values.centres / pixel))
        columns.append(score)
        reach.append(REACH * side)
    spreads: list[np.ndarray | None] = [None] * len(linked)
    if len(positions) > 1:
        for position, spread in zip(positions, spread_over_scanners(centres, columns, reach), strict=True):
            spreads[position] = spread
    return spreads
