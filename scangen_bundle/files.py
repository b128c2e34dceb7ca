"""Files and folders that are whole or absent: written under a temporary name, synced, renamed.

A temporary name says which process writes it, so that the next process that writes to the same folder can remove what
killed processes left there.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scangen_bundle.errors import InputError
from scangen_bundle.file_systems import is_full, sync, sync_folder
from scangen_bundle.machine import is_alive, process_namespace

TEMPORARY, ASIDE = "tmp", "old"
# .<stem>.<machine>-<process>-<random>.tmp<suffix>
_TEMPORARY_NAME = re.compile(
    rf"\.(?P<stem>.*)\.(?P<machine>[0-9a-f]{{6}})-(?P<process>[0-9a-f]+)-[0-9a-f]{{6}}"
    rf"\.(?P<state>{TEMPORARY}|{ASIDE})(?P<suffix>\.[^.]*)?"
)
_ABANDONED_AFTER = 7 * 24 * 3600  # seconds without a write: then another machine's temporary file counts as dead
_swept: set[str] = set()


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Make `folder`, and a file in it that is gone at once: what would fail after the work fails before it.

    Raises:
        OSError: as writing a result there would; its `filename` is the folder.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        error.filename = os.fspath(folder)  # the file's name would say nothing
        raise


@contextmanager
def write_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path next to `path` to write to; on success sync it and rename it to `path`, on error remove it.

    The temporary name keeps the suffix of `path`, because many writers choose their format by it. The first write to a
    folder removes the temporary files that killed processes left there.

    Raises:
        OSError: also where a writer failed with another error while the disk was full.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(target.parent)
    temporary = _temporary_path(target, TEMPORARY)
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            sync(handle.fileno())
        os.replace(temporary, target)
        sync_folder(target.parent)
    except Exception as error:
        # torch and HDF5 report a full disk in words of their own; asked while the half file still fills it.
        if not isinstance(error, OSError) and is_full(target.parent):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def write_folder_atomically(target: Path, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Give a temporary folder next to `target` to fill; on success rename it to `target`, on error remove it.

    An earlier folder at `target` is moved aside, and removed only when the new one is in its place.

    Args:
        target: the folder to write.
        is_ours: whether an earlier folder may be replaced.

    Raises:
        InputError: at `target` is something that may not be replaced.
    """
    _check_replaceable(target, is_ours)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(target.parent)
    temporary, aside = _temporary_path(target, TEMPORARY), _temporary_path(target, ASIDE)
    temporary.mkdir()
    try:
        yield temporary
        _check_replaceable(target, is_ours)
        if target.exists():
            target.rename(aside)
        temporary.rename(target)
        sync_folder(target.parent)
    except BaseException:
        if aside.exists() and not target.exists():
            aside.rename(target)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)


def _check_replaceable(target: Path, is_ours: Callable[[Path], bool]) -> None:
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir() or not is_ours(target):
        problem = "was not written by this program, so it is not replaced"
        raise InputError(target, problem, "move it away, or give another output folder")


@contextmanager
def working_folder(name: str) -> Iterator[Path]:
    """A folder in the system's temporary folder that is removed afterwards; also removes those of killed processes."""
    parent = Path(tempfile.gettempdir())
    _sweep_once(parent)
    folder = _temporary_path(parent / name, TEMPORARY)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """A name next to `path` for a file that is removed afterwards; also removes those of killed processes there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(path.parent)
    temporary = _temporary_path(path, TEMPORARY)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _temporary_path(target: Path, state: str) -> Path:
    token = f"{process_namespace()}-{os.getpid():x}-{uuid.uuid4().hex[:6]}"
    return target.with_name(f".{target.stem}.{token}.{state}{target.suffix}")


def _sweep_once(folder: Path) -> None:
    """Sweep a folder at this process's first write to it."""
    place = os.path.realpath(folder)
    if place not in _swept:
        _swept.add(place)
        sweep(folder)


def sweep(folder: Path) -> None:
    """Remove the temporary files and folders of dead processes; what cannot be removed stays.

    A folder that was moved aside and has no successor goes back to its place.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = _TEMPORARY_NAME.fullmatch(entry.name)
            if name is not None and _is_abandoned(entry, name):
                with suppress(OSError):
                    _remove(Path(entry.path), name)


def _is_abandoned(entry: os.DirEntry[str], name: re.Match[str]) -> bool:
    if name["machine"] == process_namespace():
        return not is_alive(int(name["process"], 16))
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_AFTER
    except OSError:
        return False


def _remove(path: Path, name: re.Match[str]) -> None:
    target = path.with_name(f"{name['stem']}{name['suffix'] or ''}")
    if name["state"] == ASIDE and not os.path.lexists(target):
        path.rename(target)
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
