"""Reader processes: each reads one slide at a time and hands over its tiles through a pipe.

A pipe holds a process back until its tiles are taken, so memory does not grow with the slides; and it breaks when
either end dies, so that nobody waits for a dead process. Tiles are received where the job wants them, without a copy.
"""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.extraction.read_slide import read_slide
from scangen_bundle.extraction.work import Failure, SlideEnd, SlidePart, SlideTask, TilingSettings
from scangen_bundle.processes import begin_worker, fresh_processes

Message = SlidePart | Failure
_END = object()
NO_START = "see the error above; a script of your own needs its work below `if __name__ == '__main__':`"
_LATER = 0.05  # seconds between questions for a task that comes later
# Gives room for so many tiles of a slide, in one array or several.
Places = Callable[[SlideTask, int], Iterator[np.ndarray]]


def serve(pipe: Connection, settings: TilingSettings) -> None:
    """Read the slides that come through the pipe until it closes; runs in a process of its own."""
    import torch

    begin_worker()
    torch.set_num_threads(1)  # the processes are the parallelism
    gc.freeze()  # else collecting garbage would touch, and so copy, what this process shares with the other readers
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the job has ended
        while True:
            task = pipe.recv()
            try:
                _send_slide(pipe, task, settings)
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:
                pipe.send(Failure(str(error), traceback.format_exc()))


def _send_slide(pipe: Connection, task: SlideTask, settings: TilingSettings) -> None:
    for part in read_slide(task, settings):
        if isinstance(part, np.ndarray):
            pipe.send(len(part))
            _send_array(pipe, part)
        else:
            pipe.send(part)


def _send_array(pipe: Connection, array: np.ndarray) -> None:
    """Write an array's bytes as they are; what receives them knows how many."""
    rest = np.ascontiguousarray(array).data.cast("B")
    while rest:
        rest = rest[os.write(pipe.fileno(), rest) :]


def _receive_array(pipe: Connection, out: np.ndarray) -> None:
    """Fill a contiguous array. `Connection.recv_bytes_into` would copy every byte twice more, in the encoder's process."""
    rest = out.data.cast("B")
    while rest:
        read = os.readv(pipe.fileno(), [rest])
        if not read:
            raise EOFError
        rest = rest[read:]


class ReaderProcess:
    """One reader process, from the job's side."""

    def __init__(self, settings: TilingSettings) -> None:
        self._settings = settings
        self.task: SlideTask | None = None
        self.pipe: Connection | None = None
        self.was_heard = False  # whether its present process sent anything

    def read(self, task: SlideTask) -> None:
        """Begin to read a slide; the process is started if it is not there."""
        if self.pipe is None:
            context: Any = fresh_processes("torch", __name__)
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, self._settings), daemon=True)
            process.start()
            theirs.close()
            self.pipe, self._process = ours, process  # last: Ctrl-C may come before
            self.was_heard = False
        self.task = task
        self.pipe.send(task)

    def receive(self, places: Places) -> Message | int:
        """The next part of the slide; of tiles, which go to `places`, their number.

        Raises:
            InputError: the process ended with a Python error before it read anything, which no slide can cause.
        """
        assert self.pipe is not None
        assert self.task is not None
        try:
            part = self.pipe.recv()
            self.was_heard = True
            if isinstance(part, int):
                for place in places(self.task, part):
                    _receive_array(self.pipe, place)
        except (EOFError, ConnectionResetError):
            self.stop()
            if not self.was_heard and self._process.exitcode == 1:
                raise InputError("reader processes", "end as soon as they start", NO_START) from None
            problem = (
                f"the reader process died (exit code {self._process.exitcode}): the file crashed it, or memory ran out"
            )
            part = Failure(problem, "")
        if isinstance(part, (SlideEnd, Failure)):
            self.task = None
        return part

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self.pipe is not None:
            self.pipe.close()
            self._process.terminate()
            self._process.join()
        self.pipe, self.task = None, None


class ReaderPool:
    """Reader processes as a context manager; leaving it ends them.

    Args:
        workers: how many.
        settings: how they cut slides.
    """

    def __init__(self, workers: int, settings: TilingSettings) -> None:
        self.readers = [ReaderProcess(settings) for _ in range(workers)]

    def __enter__(self) -> ReaderPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self.readers:
            reader.stop()

    def run(
        self, tasks: Iterator[SlideTask | None], places: Places
    ) -> Iterator[tuple[ReaderProcess, SlideTask, Message | int]]:
        """Have all slides read.

        Args:
            tasks: the slides; the next is asked for when a reader is free. None stands for "later".
            places: where tiles go.

        Yields:
            The slides' parts as they come, those of one slide in order; in the place of tiles their number.
        """
        is_more = True
        while True:
            for reader in self.readers:
                if reader.task is None and is_more:
                    task = next(tasks, _END)
                    is_more = task is not _END
                    if isinstance(task, SlideTask):
                        reader.read(task)
            busy = [reader for reader in self.readers if reader.pipe is not None and reader.task is not None]
            if not busy and not is_more:
                return
            free = len(busy) < len(self.readers) and is_more
            ready = wait([reader.pipe for reader in busy if reader.pipe is not None], _LATER if free else None)
            for reader in busy:
                if reader.pipe in ready and reader.task is not None:
                    yield reader, reader.task, reader.receive(places)
