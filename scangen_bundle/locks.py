"""One job at a time on one thing, also across processes that die: the system drops a dead process's lock.

`filelock` leaves its files behind and refuses where a file system has no locks, so this is written by hand.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scangen_bundle.file_systems import lock


@contextmanager
def lock_file(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold the lock on `path` inside the block; gives false where another owner has it.

    The file is removed afterwards. A lock on a file that its owner removed in the meantime is worthless and is taken anew.
    On a file system without locks everybody gets it, after a warning.

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
            got = lock(handle, wait)
        except OSError:
            os.close(handle)
            raise
        if not got:
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
