"""File systems that refuse what most allow: a job works all the same, or reports one error."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from abuse.jobs import Job
from abuse.kills import LIMIT, litter
from abuse.tally import Tally


def no_folder_sync() -> None:
    """Syncing a folder answers EINVAL, as on CIFS and some FUSE."""
    real = os.fsync

    def fsync(handle: Any) -> None:
        number = handle if isinstance(handle, int) else handle.fileno()
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(number)

    os.fsync = fsync


def no_locks(number: int) -> Callable[[], None]:
    """Locking answers an error."""

    def refuse() -> None:
        import fcntl

        def flock(handle: Any, operation: int) -> None:
            raise OSError(number, os.strerror(number))

        fcntl.flock = flock

    return refuse


def no_shared_memory() -> None:
    """/dev/shm is read-only or full."""
    import torch

    def share_memory_(tensor: torch.Tensor) -> torch.Tensor:
        raise RuntimeError(
            "unable to open shared memory object </torch_1> in read-write mode: Read-only file system (30)"
        )

    torch.Tensor.share_memory_ = share_memory_  # type: ignore[method-assign]


def small_files() -> None:
    """No file may grow beyond 64 kB: what a quota does."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))


SYSTEMS: Mapping[str, Callable[[], None]] = {
    "no sync of folders": no_folder_sync,
    "locks: ENOLCK": no_locks(errno.ENOLCK),
    "locks: ENOTSUP": no_locks(errno.ENOTSUP),
    "locks: ENOSYS": no_locks(errno.ENOSYS),
    "no shared memory": no_shared_memory,
    "quota": small_files,
}


def on_system(job: Job, system: str, base: Path, expected: Mapping[str, str], place: Path, row: Tally) -> None:
    """Run a job on such a file system."""
    shutil.copytree(base, place, ignore=shutil.ignore_patterns("logs"))
    job.clear(place)
    child = job.start(place, place / "log.txt", SYSTEMS[system])
    outcome = child.finish(LIMIT)
    row.tries += 1
    row.fault("orphans", f"{job.name} on {system}", child.orphans())
    words = " / ".join(outcome.output.strip().splitlines()[-3:])[-300:]
    if outcome.has_traceback:
        row.fault("tracebacks", f"{job.name}: {words}")
    elif outcome.code != 0:
        row.refused += 1
    elif job.results(place) != expected:
        row.fault("silent", f"{job.name}: another result")
    else:
        row.right += 1
    if left := litter(place):
        row.fault("litter", ", ".join(left[:3]), len(left))
    shutil.rmtree(place)
