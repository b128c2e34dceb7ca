"""Which machine and process this is, and whether another process of this machine is alive."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import lru_cache
from pathlib import Path

_NAMESPACE = Path("/proc/self/ns/pid")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@lru_cache(maxsize=1)
def process_namespace() -> str:
    """Six hexadecimal digits for the machine, or the container, whose process numbers this process shares."""
    numbers = os.readlink(_NAMESPACE) if _NAMESPACE.exists() else ""
    return _digits(f"{socket.gethostname()} {numbers}")


@lru_cache(maxsize=1)
def running_machine() -> str:
    """As `process_namespace`, but another one after a restart, and for machines that have one name."""
    boot = _BOOT.read_text() if _BOOT.exists() else ""
    return _digits(f"{process_namespace()} {boot}")


def is_alive(process: int) -> bool:
    """Whether a process of this namespace is there, and has not ended without its parent having noticed."""
    try:
        os.kill(process, 0)
        return _fields(process)[:1] != ["Z"]
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True


def start_of(process: int) -> int:
    """When a process of this namespace started, in ticks since the machine did: numbers of processes are used again.

    0 where the system does not say.
    """
    fields = _fields(process)
    return int(fields[19]) if len(fields) > 19 else 0


def _fields(process: int) -> list[str]:
    """What the kernel tells of a process after its name, its state first; nothing where it does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
