"""Batches of tiles on their way from the readers through the encoders: receiving, encoding and writing overlap.

Tiles are received straight into a ring of buffers that is made once. One thread per encoder encodes full buffers, one thread
hands the vectors on in the order in which the tiles came. Where an encoder's vectors do not depend on a tile's neighbours, a
batch is filled with tiles of several slides; elsewhere it ends with its slide's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import numpy as np

from scangen_bundle.encoders import Encoder
from scangen_bundle.errors import InputError
from scangen_bundle.extraction.work import SlideTask, TilingSettings

BUFFERS = 3  # per encoder: one is filled, one encoded, one written


@dataclass(eq=False)
class Batch:
    """A buffer of the ring.

    Attributes:
        tiles: uint8 [batch_size, tile_px, tile_px, 3].
        count: number of rows that are in use.
        pieces: the slides that the rows are of, in order, each with its number of rows.
        vectors: waits for float32 [count, D].
    """

    tiles: np.ndarray
    count: int = 0
    pieces: list[tuple[SlideTask, int]] = field(default_factory=list)
    vectors: Future[Callable[[], np.ndarray]] = field(default_factory=Future)


class Ring:
    """The buffers and the threads, as a context manager; leaving it ends the threads.

    Args:
        encoders: one per device.
        tiling: side and number of tiles of a batch.
        write: `write(task, vectors)` for the rows of one slide, in their order; called in the writing thread. It gets the
            error instead where the encoder refuses the tiles.

    Attributes:
        batches: number of batches that were encoded.
        tiles: number of tiles in them.
    """

    def __init__(
        self,
        encoders: Sequence[Encoder],
        tiling: TilingSettings,
        write: Callable[[SlideTask, np.ndarray | InputError], None],
    ) -> None:
        self.batches, self.tiles = 0, 0
        self._size, self._write = tiling.batch_size, write
        isolated = [
            isolate_tiles(encoder, tiling.batch_size) for encoder in encoders
        ]  # each is asked, so all are alike
        self._mixes = all(isolated)
        self._open: Batch | None = None
        self._free: SimpleQueue[Batch] = SimpleQueue()
        self._full: SimpleQueue[Batch | None] = SimpleQueue()
        self._events: SimpleQueue[Batch | threading.Event | Callable[[], None] | None] = SimpleQueue()
        self._later: list[Callable[[], None]] = []
        self._error: BaseException | None = None
        shape = (tiling.batch_size, tiling.tile_px, tiling.tile_px, 3)
        for number in range(BUFFERS * len(encoders) + 1):
            self._free.put(Batch(new_buffer(encoders[number % len(encoders)], shape)))
        encoding = [threading.Thread(target=self._encode_all, args=(encoder,), daemon=True) for encoder in encoders]
        self._threads = [*encoding, threading.Thread(target=self._write_all, daemon=True)]

    def __enter__(self) -> Ring:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is not None and self._error is None:
            self._error = error  # nothing more is written
        for _ in self._threads[:-1]:
            self._full.put(None)
        self._events.put(None)
        for thread in self._threads:
            thread.join()

    def places(self, task: SlideTask, tiles: int) -> Iterator[np.ndarray]:
        """Places for the next tiles of a slide, uint8 [n, tile_px, tile_px, 3]; one is filled before the next is asked for.

        Raises:
            BaseException: what encoding or writing earlier tiles raised.
        """
        while tiles:
            self.check()
            if self._open is None:
                self._open = self._free.get()
            batch, first = self._open, self._open.count
            rows = min(tiles, self._size - first)
            batch.count += rows
            batch.pieces.append((task, rows))
            yield batch.tiles[first : first + rows]
            tiles -= rows
            if batch.count == self._size or not self._mixes:
                self.flush()

    def then(self, action: Callable[[], None]) -> None:
        """Have the writing thread do something after all tiles that came before were written."""
        if self._open is None:
            self._events.put(action)
        else:
            self._later.append(action)

    def at_once(self, action: Callable[[], None]) -> None:
        """Have the writing thread do something before the tiles that come next are written."""
        self._events.put(action)

    def flush(self) -> None:
        """Encode the open batch, full or not."""
        if self._open is not None:
            self._full.put(self._open)
            self._events.put(self._open)
            self._open = None
        for action in self._later:
            self._events.put(action)
        self._later.clear()

    def finish(self) -> None:
        """Wait until all tiles are written and all actions done.

        Raises:
            BaseException: what encoding or writing raised.
        """
        self.flush()
        is_done = threading.Event()
        self._events.put(is_done)
        is_done.wait()
        self.check()

    def check(self) -> None:
        """Raise what a thread raised."""
        if self._error is not None:
            raise self._error

    def _encode_all(self, encoder: Encoder) -> None:
        while (batch := self._full.get()) is not None:
            try:
                batch.vectors.set_result(start(encoder, batch.tiles[: batch.count]))
            except BaseException as error:
                batch.vectors.set_exception(error)

    def _write_all(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                if isinstance(event, Batch):
                    self._write_batch(event)
                elif isinstance(event, threading.Event):
                    event.set()
                elif self._error is None:
                    event()
            except BaseException as error:
                self._error = self._error or error

    def _write_batch(self, batch: Batch) -> None:
        pieces, count = batch.pieces, batch.count
        vectors: np.ndarray | InputError
        try:
            vectors = batch.vectors.result()()
        except InputError as error:
            vectors = error
        finally:
            batch.count, batch.pieces, batch.vectors = 0, [], Future()
            self._free.put(batch)
        self.batches += 1
        self.tiles += count
        first = 0
        for task, rows in pieces:
            if self._error is None:
                self._write(task, vectors if isinstance(vectors, InputError) else vectors[first : first + rows])
            first += rows


def start(encoder: Encoder, tiles: np.ndarray) -> Callable[[], np.ndarray]:
    """Begin to encode; calling the answer waits for the vectors. Encoders without `start` are done at once."""
    if begin := getattr(encoder, "start", None):
        return begin(tiles)
    vectors = encoder.encode(tiles)
    return lambda: vectors


def isolate_tiles(encoder: Encoder, batch_size: int) -> bool:
    """Whether the encoder gives a tile the same vector whatever else is in its batch; encoders may not say so."""
    isolate = getattr(encoder, "isolate_tiles", None)
    return isolate is not None and isolate(batch_size)


def new_buffer(encoder: Encoder, shape: tuple[int | None, ...]) -> np.ndarray:
    """A buffer uint8 of this shape, in memory that the encoder's device copies from fastest."""
    make = getattr(encoder, "new_buffer", None)
    return make(shape) if make else np.empty([side or 0 for side in shape], np.uint8)
