"""The slides that a job works on: claimed by their leases, and noted in summary, progress bar and `failures.csv`."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from scangen_bundle import locks
from scangen_bundle.extraction.folder import BagFolder
from scangen_bundle.extraction.tables import FailureLog
from scangen_bundle.extraction.work import Failure, SlideTask
from scangen_bundle.locks import has_living_owner, lock_file
from scangen_bundle.progress import ExtractionProgress

logger = logging.getLogger(__name__)


@dataclass
class ExtractionSummary:
    """What a run did, as ids of slides.

    Attributes:
        made: bags that this run made.
        kept: bags that were there before.
        elsewhere: slides that another job is working on or has finished meanwhile.
        failed: slides that failed, with their problem.
        readers: how many slides each reader read.
        tiles: number of tiles that this run encoded.
        batches: number of batches that they were encoded in; 0 where other machines did.
        seconds: duration.
    """

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    readers: Counter[str] = field(default_factory=Counter)
    tiles: int = 0
    batches: int = 0
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Number of slides."""
        return len(self.made) + len(self.kept) + len(self.elsewhere) + len(self.failed)

    def __str__(self) -> str:
        rate = self.tiles / max(self.seconds, 1e-9)
        readers = "".join(f", {count} read with {reader}" for reader, count in self.readers.most_common())
        return (
            f"{len(self.made)} bags made ({self.tiles} tiles, {rate:.0f}/s{readers}), {len(self.kept)} were there, "
            f"{len(self.elsewhere)} with another job, {len(self.failed)} failed"
        )


class SlidesInHand:
    """The claimed slides: the lease of each is held until its bag is finished or given up. A context manager.

    One thread may claim while another notes what became of the claimed slides.

    Args:
        folder: of the bags.
        summary: is filled.
        slides: number of slides, for the progress bar.
        shown: show a progress bar.
        released: called with the id of a slide that is not in hand any more.
    """

    def __init__(
        self,
        folder: BagFolder,
        summary: ExtractionSummary,
        slides: int,
        shown: bool,
        released: Callable[[str], None] = lambda slide_id: None,
    ) -> None:
        self._folder, self._summary, self._released = folder, summary, released
        self._progress = ExtractionProgress(slides, shown=shown)
        self._failures = FailureLog(folder.failures, folder.tables_lock)
        self._leases: dict[str, ExitStack] = {}
        self._unsure: list[SlideTask] = []
        self._one = threading.Lock()

    def __enter__(self) -> SlidesInHand:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._summary.tiles = self._progress.tiles
        with self._progress, ExitStack() as ending:
            ending.callback(self._failures.write)
            for lease in self._leases.values():
                ending.push(lease)

    def claim(self, tasks: Sequence[SlideTask]) -> Iterator[SlideTask]:
        """The slides that no other job has, each locked when its turn comes."""
        leftovers = self._folder.leftovers()
        for task in tasks:
            lease, path = ExitStack(), self._folder.slide_lock(task.slide_id)
            got = lease.enter_context(lock_file(path))
            is_done = Path(task.bag).exists()
            if got and not is_done:
                for leftover in leftovers.get(task.slide_id, []):
                    leftover.unlink(missing_ok=True)
                self._leases[task.slide_id] = lease
                yield task
                continue
            lease.close()
            if is_done or has_living_owner(path):
                self._summary.elsewhere.append(task.slide_id)
                self._end(task)
            else:
                self._unsure.append(task)

    def wait_for_others(self) -> Sequence[SlideTask]:
        """Give the slides, to claim again, of which a machine has the lease that may have died; waits for a heartbeat."""
        tasks, self._unsure = self._unsure, []
        if tasks:
            logger.info("%d slides are with other machines: waiting for a sign of life", len(tasks))
            time.sleep(locks.BEAT)
        return tasks

    def begin(self, task: SlideTask, tiles: int, reader: str) -> None:
        """The slide has so many tiles, and this backend reads it."""
        self._summary.readers[reader] += 1
        logger.debug("%s: read with %s", task.slide_id, reader)
        with self._one:
            self._progress.begin_slide(task.slide_id, tiles)

    def advance(self, task: SlideTask, tiles: int) -> None:
        """So many more tiles of the slide are done."""
        with self._one:
            self._progress.advance(task.slide_id, tiles)

    def finish(self, task: SlideTask) -> None:
        """The slide has its bag."""
        self._release(task)
        self._summary.made.append(task.slide_id)
        self._end(task)

    def fail(self, task: SlideTask, failure: Failure) -> None:
        """Write the failure down while the run continues: it survives whatever comes."""
        self._release(task)
        self._end(task, failed=True)
        self._summary.failed[task.slide_id] = failure.problem
        logger.error("%s failed: %s", task.slide_id, failure.problem)
        row = {
            "slide_id": task.slide_id,
            "slide_path": task.path,
            "problem": failure.problem,
            "traceback": failure.trace,
        }
        self._failures.add(row)

    def _release(self, task: SlideTask) -> None:
        self._leases.pop(task.slide_id).close()
        self._released(task.slide_id)

    def _end(self, task: SlideTask, failed: bool = False) -> None:
        with self._one:
            self._progress.end_slide(task.slide_id, failed)
