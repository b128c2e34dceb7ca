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
    """Whether a process of this namespace is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


def start_of(process: int) -> int:
    """When a process of this namespace started, in ticks since the machine did: numbers of processes are used again.

    0 where the system does not say.
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return int(fields[19])
    except (OSError, ValueError, IndexError):
        return 0


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
