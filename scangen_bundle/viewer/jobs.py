"""Work that takes seconds, done in a process of its own so that tiles are not kept waiting; each answer is kept."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from scangen_bundle.processes import begin_worker, fresh_processes

MOST_KEPT = 256


class Jobs:
    """Run functions in one other process, one at a time, and keep the last answers by a key.

    Who asks for an answer that is being worked out waits for the same one.
    """

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        self.most_kept = most_kept
        self._pool: ProcessPoolExecutor | None = None
        self._answers: OrderedDict[Hashable, asyncio.Future[Any]] = OrderedDict()
        self._others = set(multiprocessing.active_children())

    async def run(self, key: Hashable, work: Callable[..., Any], *arguments: Any) -> Any:
        """The answer of `work(*arguments)`, which `key` stands for.

        Raises:
            Exception: whatever the work raises; a later call tries again.
        """
        answer = self._answers.get(key)
        if answer is None:
            answer = asyncio.ensure_future(self._submit(work, *arguments))
            self._answers[key] = answer
            self._drop_surplus()
        self._answers.move_to_end(key)
        try:
            return await asyncio.shield(answer)  # one browser that goes away does not stop the others' work
        except Exception:
            self._answers.pop(key, None)
            raise

    def close(self) -> None:
        """End the process, also amid its work; what is waiting is given up."""
        for answer in self._answers.values():
            answer.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - self._others:
            process.terminate()

    async def _submit(self, work: Callable[..., Any], *arguments: Any) -> Any:
        for attempt in range(2):
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, fresh_processes(work.__module__), initializer=begin_worker)
            try:
                return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
            except BrokenProcessPool:  # the process was killed, for want of memory say
                self._pool = None
                if attempt:
                    raise
        raise AssertionError("unreachable")

    def _drop_surplus(self) -> None:
        finished = [key for key, answer in self._answers.items() if answer.done()]
        for key in finished[: max(0, len(self._answers) - self.most_kept)]:
            del self._answers[key]
