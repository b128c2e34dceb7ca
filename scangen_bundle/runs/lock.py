"""One command at a time writes to a folder."""

from __future__ import annotations

import atexit
import os
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import ignite.distributed as idist

from scangen_bundle.errors import InputError
from scangen_bundle.locks import lock_file
from scangen_bundle.runs.folder import RunFolder
from scangen_bundle.runs.store import ARTIFACTS, DATABASE

RESTART = (
    120  # seconds that a process of torchrun waits after a restart for the one before it, which may be ending elsewhere
)

# Each folder with its lock, and whether it was made for the lock.
_held: dict[Path, tuple[AbstractContextManager[bool], bool]] = {}


def lock_folder(path: str | os.PathLike[str]) -> None:
    """Keep other commands from writing to the folder until `release_folder`, or the end of this process.

    The first of several processes locks it for all.

    Raises:
        InputError: another command has it, or its name is that of the MLflow store beside it.
        OSError: the folder cannot be written.
    """
    folder = Path(path).resolve()
    if idist.get_rank() != 0 or folder in _held:
        return
    if folder.name in (DATABASE, ARTIFACTS):
        raise InputError(path, "has the name of the MLflow store's own files", "give another --run_name")
    is_new = not folder.exists()
    lock = _take(RunFolder(folder).lock, RESTART if int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) else 0)
    if lock is None:
        remedy = "wait until it has ended, or give another --run_name or folder"
        raise InputError(path, "another command is writing to this folder", remedy)
    _held[folder] = lock, is_new


def _take(path: Path, patience: float) -> AbstractContextManager[bool] | None:
    """The lock, held; None if another has it for `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        lock = lock_file(path)
        if lock.__enter__():
            return lock
        if time.monotonic() >= deadline:
            return None
        time.sleep(1)


def release_folder(path: str | os.PathLike[str]) -> None:
    """Let others write to the folder; where it was made for the lock and nothing was written to it, it is removed."""
    folder = Path(path).resolve()
    if folder not in _held:
        return
    lock, is_new = _held.pop(folder)
    lock.__exit__(None, None, None)
    if is_new:
        with suppress(OSError):  # it is not empty
            folder.rmdir()


def _release_all() -> None:
    for folder in list(_held):
        release_folder(folder)


# A forked process shares its parent's locks, which stay the parent's to release.
os.register_at_fork(after_in_child=_held.clear)
atexit.register(_release_all)
