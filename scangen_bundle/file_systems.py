"""What file systems answer: network shares, FUSE mounts and container layers lack calls that a local disk has.

Where a call is missing and nothing that exists is at risk, the work goes on with one warning per file system.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import tempfile
from pathlib import Path

logger = logging.getLogger(__name__)

MISSING = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
FULL = (errno.ENOSPC, errno.EDQUOT)
_PROBE_BYTES = 2**20
_warned: set[tuple[int, str]] = set()


def sync(handle: int) -> None:
    """Have the file system write an open file or folder to its disk."""
    try:
        os.fsync(handle)
    except OSError as error:
        _tolerate(error, handle, "cannot sync files: a power cut may lose what was written last")


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written to but not listed
        return
    try:
        sync(handle)
    finally:
        os.close(handle)


def reserve(handle: int, offset: int, size: int) -> None:
    """Take disk space for `size` bytes of an open file from `offset` on, where the file system can.

    Raises:
        OSError: the disk is full.
    """
    try:
        os.posix_fallocate(handle, offset, size)
    except OSError as error:
        _tolerate(error, handle, "cannot reserve space: a full disk shows only while files are written")


def lock(handle: int) -> bool:
    """Lock an open file for this process; false where another process holds it.

    Where the file system has no locks the answer is true; `locks.lock_file` does not rely on it.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in MISSING:
            raise
    return True


def is_full(folder: Path) -> bool:
    """Whether a folder's disk, or the user's share of it, has no room for another megabyte."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno in FULL
    return False


def _tolerate(error: OSError, handle: int, consequence: str) -> None:
    """Warn once per file system where a call is missing.

    Raises:
        OSError: `error`, if it says anything else.
    """
    if error.errno not in MISSING:
        raise error
    key = os.fstat(handle).st_dev, consequence
    if key not in _warned:
        _warned.add(key)
        place = os.path.realpath(f"/proc/self/fd/{handle}")
        logger.warning("the file system of %s %s", place, consequence)
