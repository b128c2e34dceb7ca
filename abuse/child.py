"""Work in children that are forked from one process which has imported everything once."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE = 10.0  # seconds that a dead command's helpers may take to end


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    Attributes:
        code: exit code; negative: the signal that ended it.
        output: what it printed.
        seconds: how long it ran.
    """

    code: int
    output: str
    seconds: float

    @property
    def has_traceback(self) -> bool:
        return "Traceback (most recent call last)" in self.output


class Child:
    """A function in a forked process that leads a session of its own, its output in a file.

    Args:
        function: what it does; its integer result is the exit code, None is 0.
        log: where its output goes.
    """

    def __init__(self, function: Callable[[], int | None], log: Path) -> None:
        self.log, self.started = log, time.monotonic()
        self.ended: float | None = None
        log.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        log.touch()
        self.process = os.fork()
        if self.process == 0:
            _become(function, log)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal the child alone, not its helpers."""
        with suppress(ProcessLookupError):
            os.kill(self.process, number)

    def wait(self, seconds: float) -> Outcome | None:
        """The outcome, or None if it is still running after so long."""
        until = time.monotonic() + seconds
        while True:
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                code = os.waitstatus_to_exitcode(status)
                return Outcome(code, self.log.read_text(errors="replace"), time.monotonic() - self.started)
            if time.monotonic() > until:
                return None
            time.sleep(0.01)

    def finish(self, seconds: float) -> Outcome:
        """The outcome; a child that takes longer is killed, and its code is that of a hang."""
        outcome = self.wait(seconds)
        if outcome is None:
            self.kill()
            killed = self.wait(GRACE)
            output = killed.output if killed else ""
            return Outcome(-signal.SIGALRM, f"{output}\nstill running after {seconds:.0f} s", seconds)
        return outcome

    def orphans(self) -> int:
        """Processes of the child's session that live on `GRACE` seconds after it; they are ended."""
        until = time.monotonic() + GRACE
        while (left := session(self.process)) and time.monotonic() < until:
            time.sleep(0.1)
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return len(left)


def _become(function: Callable[[], int | None], log: Path) -> None:
    """In the child: its own session and output, then the function, then the end."""
    code = 1
    try:
        os.setsid()
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # whatever captured them before
        code = function() or 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code & 0xFF)


def session(leader: int) -> list[int]:
    """Processes of a session that are at work, without zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found
