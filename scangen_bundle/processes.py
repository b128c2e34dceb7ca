"""Processes for parallel work that are not forks of this one, and that end when this one ends."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path


class UnfitMachine(Exception):
    """Work cannot be done on this machine, but perhaps on others: something is missing here."""


@dataclass(frozen=True)
class WorkerDied:
    """The result of a piece of work whose worker process ended before it had one."""

    reason: str = "its worker process died: it was killed, or memory ran out"


def fresh_processes(*modules: str) -> BaseContext:
    """A `multiprocessing` context whose processes inherit nothing: a fork of one that runs threads of torch may hang.

    On Linux one fresh process imports the modules, and all others are forked from it: they start at once, and what the
    modules hold (torch: a quarter of a gigabyte, three seconds) exists once. The threads that importing starts there (of
    OpenBLAS and of Arrow's jemalloc) belong to libraries that prepare for a fork; torch has started none yet. Elsewhere
    libraries of the system do not survive a fork, and each process imports for itself.

    Args:
        modules: names of what every process will import. A program's first call decides for all.
    """
    if sys.platform == "linux":
        multiprocessing.set_forkserver_preload(list(modules))
        try:
            forkserver.ensure_running()
            return multiprocessing.get_context("forkserver")
        except OSError:  # its socket lies in the temporary folder: too long a path, or not writable
            pass
    return multiprocessing.get_context("spawn")


@contextmanager
def process_pool(workers: int, *modules: str) -> Iterator[ProcessPoolExecutor]:
    """A pool of `fresh_processes`; an error, Ctrl-C or SIGTERM drops the work that has not begun."""
    pool = ProcessPoolExecutor(workers, fresh_processes(*modules), initializer=begin_worker)
    try:
        yield pool
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def begin_worker() -> None:
    """Make this worker process leave Ctrl-C to its parent, and end within a second of its parent, however that ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def usable_cores() -> int:
    """Processor cores that this process may use: its affinity (Slurm, taskset) and its cgroup's quota (containers)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _cgroup_cores(cores)))


def _cgroup_cores(otherwise: int) -> int:
    """Cores that the quota of cgroup v2 or v1 allows, rounded up; `otherwise` where there is none."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = (Path(f"/sys/fs/cgroup/cpu/cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        except OSError:
            return otherwise
    if quota.strip() in ("max", "-1"):
        return otherwise
    return math.ceil(int(quota) / int(period))
