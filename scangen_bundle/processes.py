"""Processes for parallel work that are no forks of this one."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing import forkserver
from multiprocessing.context import BaseContext


def fresh_processes(*modules: str) -> BaseContext:
    """A `multiprocessing` context whose processes inherit nothing: a fork of one that runs threads of torch may hang.

    On Linux one fresh process imports the modules, and all others are forked from it: they start at once, and what the
    modules hold (torch: a quarter of a gigabyte, three seconds) is there once. The threads that importing starts there (of
    OpenBLAS and of Arrow's jemalloc) are those of libraries that prepare for a fork; torch has started none yet. Elsewhere
    libraries of the system do not bear a fork, and each process imports for itself.

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
