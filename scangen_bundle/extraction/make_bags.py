"""Many slides become bags: reader processes cut, this process encodes and writes."""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scangen_bundle import locks
from scangen_bundle.errors import InputError
from scangen_bundle.extraction.extract_slide import BagInTheMaking
from scangen_bundle.extraction.folder import BagFolder
from scangen_bundle.extraction.pool import Failure, Message, ReaderPool
from scangen_bundle.extraction.request import ExtractionRequest
from scangen_bundle.extraction.tables import FailureLog
from scangen_bundle.extraction.work import SlideEnd, SlideFacts, SlideTask
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
        seconds: duration.
    """

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    readers: Counter[str] = field(default_factory=Counter)
    tiles: int = 0
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


class BagMaking:
    """The work on the bags that are missing: claim a slide, take its parts as they come, write down what fails.

    Args:
        request: encoder, settings and precision.
        folder: of the bags.
        workers: number of reader processes.
        progress: show a progress bar.
    """

    def __init__(self, request: ExtractionRequest, folder: BagFolder, workers: int, progress: bool) -> None:
        self.request, self.folder, self.workers, self.shown = request, folder, workers, progress

    def run(self, tasks: Sequence[SlideTask], summary: ExtractionSummary) -> None:
        """Make the bags of slides; the summary is filled.

        Raises:
            OSError: the folder cannot be written.
        """
        with (
            ExitStack() as unfinished,
            ExtractionProgress(len(tasks), shown=self.shown) as progress,
            ReaderPool(min(self.workers, len(tasks)), self.request.tiling) as pool,
        ):
            failures = FailureLog(self.folder.failures, self.folder.tables_lock)
            hand = _SlidesInHand(self.request, self.folder, summary, failures, progress)
            unfinished.callback(failures.write)
            unfinished.callback(hand.drop_all)
            while tasks:
                for reader, task, part in pool.run(hand.claim(tasks)):
                    try:
                        hand.take(task, part)
                    except InputError as error:  # the slide's vectors cannot be kept
                        reader.stop()
                        hand.fail(task, Failure(str(error), traceback.format_exc()))
                tasks = hand.wait_for_others()
            summary.tiles = progress.tiles


class _SlidesInHand:
    """The slides that are being read: of each its bag, and the lock that is held until the bag is finished or dropped."""

    def __init__(
        self,
        request: ExtractionRequest,
        folder: BagFolder,
        summary: ExtractionSummary,
        failures: FailureLog,
        progress: ExtractionProgress,
    ) -> None:
        self._request, self._folder, self._summary = request, folder, summary
        self._failures, self._progress = failures, progress
        self._bags: dict[str, tuple[BagInTheMaking, ExitStack]] = {}
        self._unsure: list[SlideTask] = []

    def claim(self, tasks: Sequence[SlideTask]) -> Iterator[SlideTask]:
        """The slides that no other job has, each locked when its turn comes."""
        leftovers = self._folder.leftovers()
        for task in tasks:
            lock, lease = ExitStack(), self._folder.slide_lock(task.slide_id)
            got = lock.enter_context(lock_file(lease))
            is_done = Path(task.bag).exists()
            if got and not is_done:
                for leftover in leftovers.get(task.slide_id, []):
                    leftover.unlink(missing_ok=True)
                self._bags[task.slide_id] = BagInTheMaking(task, self._request), lock
                yield task
                continue
            lock.close()
            if is_done or has_living_owner(lease):
                self._summary.elsewhere.append(task.slide_id)
                self._progress.end_slide(task.slide_id)
            else:
                self._unsure.append(task)

    def wait_for_others(self) -> Sequence[SlideTask]:
        """Give the slides, to claim again, of which a machine has the lease that may have died; waits for a heartbeat."""
        tasks, self._unsure = self._unsure, []
        if tasks:
            logger.info("%d slides are with other machines: waiting for a sign of life", len(tasks))
            time.sleep(locks.BEAT)
        return tasks

    def take(self, task: SlideTask, part: Message) -> None:
        """Take a part of a slide.

        Raises:
            InputError: the encoder's vectors are not finite.
        """
        if isinstance(part, Failure):
            self.fail(task, part)
            return
        bag, _ = self._bags[task.slide_id]
        bag.take(part)
        if isinstance(part, SlideFacts):
            self._summary.readers[part.backend] += 1
            logger.debug("%s: read with %s", task.slide_id, part.backend)
            self._progress.begin_slide(task.slide_id, len(part.coords))
        elif isinstance(part, np.ndarray):
            self._progress.advance(task.slide_id, len(part))
        elif isinstance(part, SlideEnd):
            self._drop(task.slide_id)
            self._summary.made.append(task.slide_id)
            self._progress.end_slide(task.slide_id)

    def fail(self, task: SlideTask, failure: Failure) -> None:
        """Drop the slide's bag, and write the failure down while the run continues: it survives whatever comes."""
        self._drop(task.slide_id)
        self._progress.end_slide(task.slide_id, failed=True)
        self._summary.failed[task.slide_id] = failure.problem
        logger.error("%s failed: %s", task.slide_id, failure.problem)
        row = {
            "slide_id": task.slide_id,
            "slide_path": task.path,
            "problem": failure.problem,
            "traceback": failure.trace,
        }
        self._failures.add(row)

    def _drop(self, slide_id: str) -> None:
        """Forget a bag, which is removed unless it is finished, and release its lock."""
        bag, lock = self._bags.pop(slide_id)
        bag.abandon()
        lock.close()

    def drop_all(self) -> None:
        """Drop what is unfinished."""
        for slide_id in list(self._bags):
            self._drop(slide_id)
