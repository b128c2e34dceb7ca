"""The progress bar of an extraction: slides, tiles per second, time left."""

from __future__ import annotations

import time
from types import TracebackType

from tqdm import tqdm

FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total} slides [{elapsed}<{remaining}{postfix}]"


class ExtractionProgress:
    """A bar that moves with the tiles, so that the time left is known before the first slide is finished.

    Args:
        slides: number of slides to do.
        shown: whether to show it.

    Attributes:
        tiles: number of tiles that are done.
    """

    def __init__(self, slides: int, shown: bool = True) -> None:
        self.tiles = 0
        self._failed = 0
        self._total: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._begin = time.monotonic()
        self._bar = tqdm(total=slides, desc="extracting", bar_format=FORMAT, disable=not shown, dynamic_ncols=True)

    def __enter__(self) -> ExtractionProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def begin_slide(self, slide_id: str, tiles: int) -> None:
        """A slide has this many tiles."""
        self._total[slide_id], self._done[slide_id] = tiles, 0

    def advance(self, slide_id: str, tiles: int) -> None:
        """Tiles of a slide are done."""
        self.tiles += tiles
        self._done[slide_id] += tiles
        rate = self.tiles / max(time.monotonic() - self._begin, 1e-9)
        failed = f", {self._failed} failed" if self._failed else ""
        self._bar.set_postfix_str(f"{rate:.0f} tiles/s{failed}", refresh=False)
        self._bar.update(tiles / self._total[slide_id])

    def end_slide(self, slide_id: str, failed: bool = False) -> None:
        """A slide is finished, or given up."""
        self._failed += failed
        total, done = self._total.pop(slide_id, 1), self._done.pop(slide_id, 0)
        self._bar.update(1 - done / total)
