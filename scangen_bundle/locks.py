"""One job at a time on one thing, also on network disks, and across processes and machines that die.

A lock is a lease file. Whoever creates it has it: creation is exclusive on every file system, while `flock` is refused by some
network disks, granted to everybody by others, and known to one node alone on more. The file names its owner (machine,
process, start), and a heartbeat keeps its time of change young. A lease is taken over, with a warning, when its owner has
ended (a process of this machine), or when its heartbeat stopped (another machine). Where `flock` works it is held too: then
an owner that was merely suspended keeps its lease.
"""

from __future__ import annotations

import json
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from scangen_bundle.file_systems import lock
from scangen_bundle.machine import is_alive, running_machine, start_of

logger = logging.getLogger(__name__)

BEAT = 15.0  # seconds between heartbeats
# Seconds without a heartbeat after which a lease of another machine is taken over. NFS may show a time that is a minute old.
STALE_AFTER = 180.0
_PAUSE = 0.005, 0.02  # seconds between attempts of one who waits

_held: set[int] = set()  # open files of this process's leases
_guard = threading.Lock()  # of `_held`, so that no heartbeat goes to a file that was closed
_beating = False
_seen: dict[Path, tuple[int, float]] = {}  # others' leases: their time of change, and when it was seen first
_alive: set[Path] = set()  # those that changed while this process looked


@dataclass(frozen=True)
class Owner:
    """Who has a lease. `start` is that of the process; `machine` tells machines of one name apart."""

    host: str
    machine: str
    process: int
    start: int

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


def this_owner() -> Owner:
    """This process."""
    return Owner(socket.gethostname(), running_machine(), os.getpid(), start_of(os.getpid()))


def owner_of(path: Path) -> Owner | None:
    """Who has the lease at `path`; None for nobody, or where its file does not say (yet)."""
    try:
        return Owner(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def lock_file(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold the lease `path` inside the block; gives false where another owner has it.

    Args:
        path: the lease's file; it is removed afterwards.
        wait: wait for another owner instead of giving up.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while (handle := _try_to_take(path)) is None:
        if not wait:
            yield False
            return
        time.sleep(random.uniform(*_PAUSE))
    owner = os.getpid()
    try:
        yield True
    finally:
        if os.getpid() == owner:  # a fork's copy of this block is not the owner
            _release(path, handle)


def has_living_owner(path: Path) -> bool:
    """Whether the owner of a lease that was just refused lives for sure: a process of this machine, or one that was seen to
    refresh it. Of another machine's lease that is known a heartbeat later.
    """
    owner = owner_of(path)
    return path in _alive or (owner is not None and owner.machine == running_machine())


def _try_to_take(path: Path) -> int | None:
    """The open file of the lease, which is ours from now on; None if another has it."""
    handle = _create(path)
    if handle is None and _is_dead(path) and _clear(path):
        handle = _create(path)
    return handle


def _create(path: Path) -> int | None:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return None
    try:
        os.write(handle, json.dumps(asdict(this_owner())).encode())
        lock(handle)
    except OSError:
        path.unlink(missing_ok=True)
        os.close(handle)
        raise
    _beat_from_now_on(handle)
    return handle


def _release(path: Path, handle: int) -> None:
    if _is_still(path, handle):
        path.unlink(missing_ok=True)
    else:
        logger.warning("%s: the lease was taken over by %s while it was held", path, owner_of(path) or "another job")
    with _guard:
        _held.discard(handle)
        os.close(handle)


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


def _is_dead(path: Path) -> bool:
    """Whether the lease's owner has ended, or has been silent for so long that it counts as ended."""
    owner = owner_of(path)
    if owner is not None and owner.machine == running_machine():
        return not is_alive(owner.process) or owner.start != start_of(owner.process)
    return _is_silent(path)


def _is_silent(path: Path) -> bool:
    """Whether the heartbeat stopped. Both times are the file server's; where they contradict, the lease is watched."""
    try:
        seen = path.stat()
    except FileNotFoundError:
        return False
    age = _now_of(path.parent) - seen.st_mtime
    is_new = _seen.get(path, (0, 0.0))[0] != seen.st_mtime_ns
    if is_new:
        (_alive.add if path in _seen else _alive.discard)(path)
        _seen[path] = seen.st_mtime_ns, time.monotonic()
    if age > STALE_AFTER:
        return True
    if age < -STALE_AFTER and is_new:
        logger.warning(
            "%s: the clock of %s is %.0f minutes ahead; its lease is taken over if it does not change for %.0f s",
            path,
            owner_of(path) or "its owner",
            -age / 60,
            STALE_AFTER,
        )
    return time.monotonic() - _seen[path][1] > STALE_AFTER


def _now_of(folder: Path) -> float:
    """The time by the clock of a folder's file system, which may be another machine's."""
    probe = folder / f".now-{running_machine()}-{os.getpid()}-{threading.get_ident()}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _clear(path: Path) -> bool:
    """Remove a dead owner's lease; false where somebody else is doing so, or its owner is merely suspended."""
    guard = path.with_name(f"{path.name}.takeover")
    try:
        os.close(os.open(guard, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        if _is_silent(guard):  # whoever was taking over died, too
            guard.unlink(missing_ok=True)
        return False
    try:
        return _is_dead(path) and _remove_unless_locked(path)
    finally:
        guard.unlink(missing_ok=True)


def _remove_unless_locked(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        if not lock(handle):
            return False
        age = _now_of(path.parent) - os.fstat(handle).st_mtime
        owner = owner_of(path) or "an owner that its file does not name"
        path.unlink(missing_ok=True)
        _seen.pop(path, None)
        _alive.discard(path)
        logger.warning("%s: taken over from %s, which has ended (last seen %.0f s ago)", path, owner, max(age, 0))
        return True
    finally:
        os.close(handle)


def _beat_from_now_on(handle: int) -> None:
    """Refresh a lease until it is released, in a thread that all of this process's leases share."""
    global _beating
    with _guard:
        _held.add(handle)
        if not _beating:
            threading.Thread(target=_beat, name="heartbeat", daemon=True).start()
            _beating = True


def _beat() -> None:
    global _beating
    while True:
        time.sleep(BEAT)
        with _guard:
            if not _held:
                _beating = False
                return
            for handle in _held:
                with suppress(OSError):  # the server does not answer
                    os.utime(handle)


def _forget() -> None:
    """A fork has none of its parent's leases."""
    global _beating, _guard
    _held.clear()
    _beating, _guard = False, threading.Lock()


os.register_at_fork(after_in_child=_forget)
