"""Progress bars: of an extraction (slides, tiles per second, time left), and of looking through bags."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

BAR_AFTER = 5  # seconds: work that is done before has no progress bar
FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total} slides [{elapsed}<{remaining}{postfix}]"


def with_bar(scans: Sequence[T], description: str, shown: bool = True) -> Iterable[T]:
    """The scans one by one, with a progress bar where that takes long: opening a bag takes milliseconds, and more over a
    network, so tens of thousands take minutes. Of several training processes the first shows it.
    """
    return tqdm(scans, desc=description, unit="bag", delay=BAR_AFTER, leave=False, disable=not (shown and _is_first()))


def reading_bar(scans: int, description: str) -> tqdm:
    """The bar of `with_bar` where something else reads the scans; update it after each."""
    return tqdm(total=scans, desc=description, unit="bag", delay=BAR_AFTER, leave=False, disable=not _is_first())


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"  # torchrun's; this is before processes know of each other


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
