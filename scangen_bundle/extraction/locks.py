"""One job at a time on one thing, also across processes that die: the system drops a dead process's lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def lock_file(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold the lock on `path` inside the block; gives whether it was got.

    The file is removed afterwards. A lock got on a file that its owner removed meanwhile counts for nothing and is
    taken anew.

    Args:
        path: the lock's file.
        wait: wait for another owner instead of giving up.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            yield False
            return
        if _is_still(path, handle):
            break
        os.close(handle)
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
