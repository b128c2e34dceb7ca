"""Copies of slides of object stores, made ahead of the readers within a share of the scratch disk."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from scangen_bundle.errors import InputError
from scangen_bundle.extraction.work import Failure, SlideTask
from scangen_bundle.names import is_remote
from scangen_bundle.slides.staging import RefusedAccess, scratch_folder, size_of, staged

GB = 10**9


@dataclass(frozen=True)
class Scratch:
    """Where copies go, and how much of the disk they may take at a time.

    Attributes:
        folder: None takes the system's temporary folder.
        gb: at most, GB.
    """

    folder: str | os.PathLike[str] | None = None
    gb: float = 50.0

    @property
    def place(self) -> Path:
        """The folder."""
        return scratch_folder(self.folder)


class Stage:
    """Copies as a context manager; leaving it removes them.

    Args:
        scratch: where, and how much.
        ahead: how many slides are copied or wait for a reader at a time.
    """

    def __init__(self, scratch: Scratch, ahead: int) -> None:
        self._scratch, self._ahead = scratch, ahead
        self._limit = int(scratch.gb * GB)
        self._used = 0
        self._room = threading.Condition()
        self._copies: dict[str, tuple[ExitStack, int]] = {}
        self._is_closed = False
        self._pool = ThreadPoolExecutor(ahead, "staging")

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._room:
            self._is_closed = True
            self._room.notify_all()
        self._pool.shutdown(cancel_futures=True)
        for slide_id in list(self._copies):
            self.release(slide_id)

    def prepare(
        self, tasks: Iterator[SlideTask], refuse: Callable[[SlideTask, Failure], None]
    ) -> Iterator[SlideTask | None]:
        """The tasks with paths of this machine; None while copies are not there yet.

        Args:
            tasks: slides here or in object stores.
            refuse: called with a slide that cannot be copied.

        Raises:
            RefusedAccess: the store does not let us in.
        """
        coming: dict[Future[SlideTask], SlideTask] = {}
        is_more = True
        while is_more or coming:
            while is_more and len(coming) < self._ahead:
                task = next(tasks, None)
                if task is None:
                    is_more = False
                elif is_remote(task.path):
                    coming[self._pool.submit(self._copy, task)] = task
                else:
                    yield task
            ready = next((future for future in coming if future.done()), None)
            if ready is None:
                if coming:
                    yield None
                continue
            task = coming.pop(ready)
            try:
                yield ready.result()
            except RefusedAccess:
                raise
            except InputError as error:
                refuse(task, Failure(str(error), traceback.format_exc()))

    def release(self, slide_id: str) -> None:
        """Remove the copy of a slide, if there is one."""
        copy, size = self._copies.pop(slide_id, (ExitStack(), 0))
        copy.close()
        with self._room:
            self._used -= size
            self._room.notify_all()

    def _copy(self, task: SlideTask) -> SlideTask:
        size = size_of(task.path)
        self._reserve(task.path, size)
        stack = ExitStack()
        self._copies[task.slide_id] = stack, size
        try:
            return local_copy(task, self._scratch, stack)
        except BaseException:
            self.release(task.slide_id)
            raise

    def _reserve(self, address: str, size: int) -> None:
        if size > self._limit:
            problem = f"the slide has {size / GB:.3g} GB, and copies may take {self._scratch.gb:g} GB"
            raise InputError(address, problem, "raise scratch_gb")
        with self._room:
            self._room.wait_for(lambda: self._is_closed or self._used + size <= self._limit)
            if self._is_closed:
                raise InputError(address, "the job has ended")
            self._used += size


def local_copy(task: SlideTask, scratch: Scratch, stack: ExitStack) -> SlideTask:
    """The task with a path of this machine; its copy, if it needs one, lives as long as the stack.

    Raises:
        InputError: see `slides.staging.fetch`; also where the scratch disk is full.
    """
    if not is_remote(task.path):
        return task
    try:
        return replace(task, path=str(stack.enter_context(staged(task.path, scratch.place, task.slide_id))))
    except OSError as error:
        raise _full(scratch.place, error) from error


def _full(folder: Path, error: OSError) -> InputError:
    remedy = "free space there, lower scratch_gb, or choose another scratch_dir"
    return InputError(folder, f"a slide cannot be copied to it: {error}", remedy)
