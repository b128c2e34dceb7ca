"""A slide becomes a feature bag: the function that everything runs that makes bags, in this process or another."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from scangen_bundle.bags.writer import BagWriter, open_writer
from scangen_bundle.extraction.read_slide import read_slide
from scangen_bundle.extraction.request import ExtractionRequest
from scangen_bundle.extraction.work import SlideEnd, SlideFacts, SlidePart, SlideTask, TissuePicture
from scangen_bundle.files import write_atomically

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SlideResult:
    """What was made of a slide: its id, its number of tiles, and the reader's name."""

    slide_id: str
    tiles: int
    reader: str


def extract_slide(task: SlideTask, request: ExtractionRequest) -> SlideResult:
    """Read one slide, encode its tiles, and write its bag (and its picture) where the task says.

    The task is plain data; the request holds what a process makes once: the encoder.

    Raises:
        InputError: the slide cannot be read, has no plausible mpp or no tissue, or its vectors are not finite.
        OSError: the bag cannot be written.
    """
    with BagInTheMaking(task, request) as bag:
        for part in read_slide(task, request.tiling):
            bag.take(part)
    return bag.result


class BagInTheMaking:
    """Encodes and stores the parts of one slide in the order in which `read_slide` gives them.

    A context manager: the bag appears when its last part is taken, and not at all when the block is left before.

    Args:
        task: the slide; `bag` says where to.
        request: encoder, settings and precision.

    Attributes:
        facts: of the slide; None before they came.
        tiles: number of tiles that were encoded.
    """

    def __init__(self, task: SlideTask, request: ExtractionRequest) -> None:
        self.task, self.request = task, request
        self.facts: SlideFacts | None = None
        self.tiles = 0
        self._writer: BagWriter | None = None
        self._open = ExitStack()

    def __enter__(self) -> BagInTheMaking:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()

    def take(self, part: SlidePart) -> None:
        """Encode and store a part of the slide.

        Raises:
            InputError: the encoder's vectors are not finite.
            OSError: the file cannot be written.
        """
        if isinstance(part, TissuePicture):
            with write_atomically(self.task.picture) as temporary:
                temporary.write_bytes(part.jpeg)
        elif isinstance(part, SlideFacts):
            self.facts = part
            for remark in part.remarks:
                logger.warning("%s: %s", self.task.slide_id, remark)
            attributes = self.request.attributes(self.task, part)
            writer = open_writer(self.task.bag, part.coords, attributes, self.request.dtype)
            self._writer = self._open.enter_context(writer)
        elif isinstance(part, np.ndarray):
            self.append(self.request.encoder.encode(part))
        elif isinstance(part, SlideEnd):
            assert self._writer is not None
            self._writer.sharpness = part.sharpness
            self._open.close()

    def append(self, vectors: np.ndarray) -> None:
        """Store the vectors [n, D] of the next tiles.

        Raises:
            InputError: they are not finite.
            OSError: the file cannot be written.
        """
        assert self._writer is not None
        self._writer.append(vectors)
        self.tiles += len(vectors)

    def abandon(self) -> None:
        """Drop what is not finished."""
        error = RuntimeError("abandoned")
        self._open.__exit__(RuntimeError, error, None)

    @property
    def result(self) -> SlideResult:
        """What was made, once all parts were taken."""
        assert self.facts is not None
        return SlideResult(self.task.slide_id, self.tiles, self.facts.backend)
