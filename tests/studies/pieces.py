"""Functions for engines in other processes, which import them by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def square(piece: int) -> tuple[int, int]:
    return piece**2, os.getpid()


def die_of_thirteen(piece: int) -> int:
    if piece == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return -piece


def note_and_sleep(folder: str, piece: int) -> int:
    """Write this process's id, then take for ever."""
    Path(folder, f"{os.getpid()}.pid").touch()
    time.sleep(600)
    return piece
