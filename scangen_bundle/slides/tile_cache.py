"""Decoded native tiles that may be needed again."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

# One big array for many tiles: NumPy asks for huge pages, and first touching it costs a third to a fifth.
SLAB_TILES = 64
LEAST_TILES = 160


class TileCache:
    """The decoded native tiles of one level that may be needed again, in buffers that are used again.

    A tile whose pixels have all been given out, as many as it has, is done with: regions side by side need each pixel once.
    The next tile is decoded over it while it is still in the processor's cache. Without such a tile, the one not used for
    longest makes room. The cache stays small while that is enough, because touching fresh memory costs up to half as much
    as decoding into it. It doubles once as many tiles were decoded a second time as it holds: the waste pays for the memory.

    Args:
        level: number of the level.
        tile: (width, height) of its native tiles.
        limit: most tiles to keep.
    """

    def __init__(self, level: int, tile: tuple[int, int], limit: int) -> None:
        self.level = level
        self.limit = max(1, limit)
        self.capacity = min(self.limit, LEAST_TILES)
        self._shape = (tile[1], tile[0], 3)
        self._tiles: OrderedDict[int, np.ndarray] = OrderedDict()
        self._given: dict[int, int] = {}
        self._done: list[int] = []
        self._missed = 0
        self._free: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._tiles)

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` tiles, or for as many as allowed."""
        self.capacity = min(self.limit, max(self.capacity, capacity))

    def get(self, index: int) -> np.ndarray | None:
        """A tile, from now on the one used last; None if it is not here."""
        tile = self._tiles.get(index)
        if tile is not None:
            self._tiles.move_to_end(index)
        elif index in self._given:
            self._missed += 1
            if self._missed >= self.capacity:
                self._missed = 0
                self.grow(2 * self.capacity)
        return tile

    def buffer(self) -> np.ndarray:
        """Memory for one more tile."""
        while self._done:
            index = self._done.pop()
            if index in self._tiles and self._all_given(index):
                return self._tiles.pop(index)
        if len(self._tiles) >= self.capacity:
            return self._tiles.popitem(last=False)[1]
        if not self._free:
            self._free = list(np.empty((SLAB_TILES, *self._shape), np.uint8))
        return self._free.pop()

    def put(self, index: int, tile: np.ndarray) -> None:
        """Keep a decoded tile."""
        self._tiles[index] = tile
        self._given[index] = 0

    def give(self, index: int, pixels: int) -> None:
        """Count pixels of a tile that were given out. More than it has: regions overlap, and it may be needed once more."""
        self._given[index] += pixels
        if self._all_given(index):
            self._done.append(index)

    def _all_given(self, index: int) -> bool:
        return self._given[index] == self._shape[0] * self._shape[1]
