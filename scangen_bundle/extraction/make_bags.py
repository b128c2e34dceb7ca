"""Many slides become bags: reader processes cut, threads of this process encode and write."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial

import numpy as np

from scangen_bundle.encoders import Encoder
from scangen_bundle.errors import InputError
from scangen_bundle.extraction.extract_slide import BagInTheMaking
from scangen_bundle.extraction.folder import BagFolder
from scangen_bundle.extraction.hand import ExtractionSummary, SlidesInHand
from scangen_bundle.extraction.pool import ReaderPool
from scangen_bundle.extraction.request import ExtractionRequest
from scangen_bundle.extraction.ring import Ring
from scangen_bundle.extraction.stage import Scratch, Stage
from scangen_bundle.extraction.work import Failure, SlideEnd, SlideFacts, SlidePart, SlideTask


class BagMaking:
    """The work on the bags that are missing: claim a slide, take its parts as they come, write down what fails.

    Args:
        request: settings and precision.
        encoders: one per device, all the same but for that.
        folder: of the bags.
        workers: number of reader processes.
        progress: show a progress bar.
        scratch: for copies of slides of object stores.
    """

    def __init__(
        self,
        request: ExtractionRequest,
        encoders: Sequence[Encoder],
        folder: BagFolder,
        workers: int,
        progress: bool,
        scratch: Scratch | None = None,
    ) -> None:
        self.request, self.encoders, self.folder = request, encoders, folder
        self.workers, self.shown, self.scratch = workers, progress, scratch or Scratch()

    def run(self, tasks: Sequence[SlideTask], summary: ExtractionSummary) -> None:
        """Make the bags of slides; the summary is filled.

        Raises:
            OSError: the folder cannot be written.
        """
        with (
            Stage(self.scratch, self.workers + 1) as stage,
            SlidesInHand(self.folder, summary, len(tasks), self.shown, stage.release) as hand,
            ReaderPool(min(self.workers, len(tasks)), self.request.tiling) as pool,
        ):
            bags = _BagsInTheMaking(self.request, hand)
            with closing(bags), Ring(self.encoders, self.request.tiling, bags.append) as ring:
                while tasks:
                    here = stage.prepare(hand.claim(tasks), partial(_take_at_once, ring, bags))
                    self._read(pool, here, bags, ring)
                    tasks = hand.wait_for_others()
                summary.batches = ring.batches

    def _read(self, pool: ReaderPool, tasks: Iterator[SlideTask | None], bags: _BagsInTheMaking, ring: Ring) -> None:
        for reader, task, part in pool.run(tasks, ring.places):
            if isinstance(part, int):  # tiles: they are in the ring
                if bags.was_given_up(task):
                    reader.stop()
            elif isinstance(part, SlideEnd):
                ring.then(partial(bags.take, task, part))
            else:
                _take_at_once(ring, bags, task, part)
        ring.finish()


def _take_at_once(ring: Ring, bags: _BagsInTheMaking, task: SlideTask, part: SlidePart | Failure) -> None:
    ring.at_once(partial(bags.take, task, part))


class _BagsInTheMaking:
    """The bags of the slides in hand. Everything but `was_given_up` and `close` is called by the writing thread alone."""

    def __init__(self, request: ExtractionRequest, hand: SlidesInHand) -> None:
        self._request, self._hand = request, hand
        self._bags: dict[str, BagInTheMaking] = {}
        self._given_up: set[str] = set()

    def was_given_up(self, task: SlideTask) -> bool:
        """Whether the slide failed after its reader had gone on."""
        return task.slide_id in self._given_up

    def take(self, task: SlideTask, part: SlidePart | Failure) -> None:
        """Take a part of a slide that is no tiles."""
        if self.was_given_up(task):
            return
        if isinstance(part, Failure):
            self._give_up(task, part)
            return
        bag = self._bags.setdefault(task.slide_id, BagInTheMaking(task, self._request))
        bag.take(part)
        if isinstance(part, SlideFacts):
            self._hand.begin(task, len(part.coords), part.backend)
        elif isinstance(part, SlideEnd):
            del self._bags[task.slide_id]
            self._hand.finish(task)

    def append(self, task: SlideTask, vectors: np.ndarray | InputError) -> None:
        """Store the vectors of the slide's next tiles; a slide with vectors that cannot be kept is given up."""
        if self.was_given_up(task):
            return
        try:
            if isinstance(vectors, InputError):
                raise vectors
            self._bags[task.slide_id].append(vectors)
        except InputError as error:
            self._give_up(task, Failure(str(error), traceback.format_exc()))
        else:
            self._hand.advance(task, len(vectors))

    def _give_up(self, task: SlideTask, failure: Failure) -> None:
        self._given_up.add(task.slide_id)
        if bag := self._bags.pop(task.slide_id, None):
            bag.abandon()
        self._hand.fail(task, failure)

    def close(self) -> None:
        """Remove what is unfinished."""
        for bag in self._bags.values():
            bag.abandon()
        self._bags.clear()
