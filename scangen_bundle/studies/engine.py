"""Engines: a function from a piece of work to its result, run in this process, on local cores, or on a Ray cluster.

`run(function, pieces, report)` calls `report(piece, result)` in the calling process as results come, in no fixed order. A
function reports its own failures in its result; where a worker dies, the result is a `WorkerDied`. Only the pieces and the
results cross between processes, so they are small: names, settings and paths, never pixels or features.

Another engine is one class and one line:

@ENGINES.register("my-cluster")
class MyCluster: ...
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from scangen_bundle.processes import WorkerDied, begin_worker, fresh_processes, usable_cores
from scangen_bundle.ray_engine import RayEngine
from scangen_bundle.registry import Registry

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class Engine(Protocol):
    """Runs pieces of work; the constructor takes the number of workers (None: the engine chooses).

    Attributes:
        workers: pieces that are worked on at once.
    """

    workers: int

    def run(
        self,
        function: Callable[[Piece], Result],
        pieces: Sequence[Piece],
        report: Callable[[Piece, Result | WorkerDied], None],
    ) -> None:
        """Work on every piece once.

        Args:
            function: has to be picklable for engines with processes: a function of a module, or a `partial` of one.
            pieces: picklable.
            report: called in this process, one result at a time.
        """
        ...


ENGINES: Registry[Callable[[int | None], Engine]] = Registry("engine")


ENGINES.add("ray", RayEngine)


@ENGINES.register("here")
class Here:
    """One piece after the other in this process."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = 1

    def run(
        self,
        function: Callable[[Piece], Result],
        pieces: Sequence[Piece],
        report: Callable[[Piece, Result | WorkerDied], None],
    ) -> None:
        for piece in pieces:
            report(piece, function(piece))


@ENGINES.register("local")
class LocalCores:
    """As many pieces at a time as there are workers, each worker a process of its own with one thread.

    Workers live from the first to the last piece, so what a module keeps between calls stays. They end when this process
    ends, however it ends.

    Args:
        workers: processes; None: the cores that this process may use.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or usable_cores()

    def run(
        self,
        function: Callable[[Piece], Result],
        pieces: Sequence[Piece],
        report: Callable[[Piece, Result | WorkerDied], None],
    ) -> None:
        suspects, later = self._run(function, pieces, report, self.workers)
        while suspects:
            # One of these was running when a worker died; alone in a pool it shows whether it is to blame.
            for piece in suspects:
                blamed, _ = self._run(function, [piece], report, 1)
                if blamed:
                    report(piece, WorkerDied())
            suspects, later = self._run(function, later, report, self.workers)

    def _run(
        self,
        function: Callable[[Any], Any],
        pieces: Sequence[Any],
        report: Callable[[Any, Any], None],
        workers: int,
    ) -> tuple[list[Any], list[Any]]:
        """Run pieces in one pool. Returns those that ran when a worker died, and those that were still to come."""
        waiting = list(reversed(pieces))
        running: dict[Future, Any] = {}
        context = fresh_processes("torch", __name__, *_modules_of(function))
        pool = ProcessPoolExecutor(workers, context, _begin)
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    future = pool.submit(function, waiting[-1])
                    running[future] = waiting.pop()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    report(running.pop(future), result)
        except BrokenProcessPool:
            return list(running.values()), list(reversed(waiting))
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()  # at once, a cell may take minutes
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return [], []


def _modules_of(function: Callable[..., Any]) -> list[str]:
    """The module that workers need for a function, where they can import it by its name."""
    module = getattr(getattr(function, "func", function), "__module__", "__main__")
    return [] if module == "__main__" else [module]


def _begin() -> None:
    begin_worker()
    import torch

    torch.set_num_threads(1)  # the workers are the parallelism
