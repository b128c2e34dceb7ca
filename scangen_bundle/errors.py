"""Errors that a user can fix, and how a command shows them: one message, no traceback."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import logging
import re
import signal
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType, TracebackType

ELSEWHERE = "or name another folder (--help shows which are set)"
# Errors of a file system that a user can fix, and how.
DISK_REMEDIES = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), f"change the folder's permissions, {ELSEWHERE}"),
    errno.EROFS: f"make it writable, {ELSEWHERE}",
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), f"free some space, {ELSEWHERE}; the same command resumes"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), f"a file is in a folder's place: move it, {ELSEWHERE}"),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "check the disk or the network share; the same command resumes"),
    errno.EMFILE: "allow more open files: ulimit -n 65536",
}
GPU_REMEDY = (
    "lower the settings that say how much it holds at a time, batch sizes and numbers of tiles (--help lists them), and end "
    "other programs that use it"
)
REPLACE_DASHES = "scangen_dashes"  # name of the error handler of `print_anywhere`
RESUMES = "finished work is kept, and the same command resumes"


SOME_FAILED = 3  # exit code of a command that finished what it could, while some slides failed


class InputError(ValueError):
    """Something that the user gave is wrong; the message is the whole story.

    Args:
        where: the file, row or option at fault.
        problem: what is wrong, and what was expected.
        remedy: what to do about it.

    Attributes:
        exit_code: what a command ends with.
    """

    exit_code = 1

    def __init__(self, where: object, problem: str, remedy: str = "") -> None:
        self.where, self.problem, self.remedy = str(where), problem, remedy
        super().__init__(f"{where}: {problem}" + (f" -> {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        """By default only the message is pickled, so that unpickling in another process would fail."""
        return type(self), (self.where, self.problem, self.remedy)


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names and the number of the others, for a message that has to stay short."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def listed(title: str, problems: Sequence[object], most: int = 100) -> str:
    """A title and a line for each problem, as the problem of one `InputError`; beyond `most` only their number."""
    more = [f"... and {len(problems) - most} more"] if len(problems) > most else []
    return "\n  ".join([title, *map(str, problems[:most]), *more]) + "\n"


def grouped(problems: Mapping[str, str], most: int = 3) -> list[str]:
    """Problems by name, those that read alike as one line with their names in front."""
    names: dict[str, list[str]] = {}
    for name, problem in problems.items():
        names.setdefault(problem, []).append(name)
    return [
        f"{some(alike, most)}: {problem}"
        if len(alike) == 1
        else f"{len(alike)} slides ({some(alike, most)}): {problem}"
        for problem, alike in names.items()
    ]


def check_known(option: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names in an option that do not exist.

    Raises:
        InputError: it lists them and the names that exist.
    """
    if unknown := sorted(set(given) - set(known)):
        raise InputError(f"option {option}", f"does not know {unknown}", f"it takes {', '.join(known)}")


class Terminated(KeyboardInterrupt):
    """SIGTERM, as a cluster sends it before it kills: ends the work as Ctrl-C does, with its bookkeeping done."""


def find_input_error(error: BaseException | None) -> InputError | None:
    """The InputError behind an exception, through the wrappers that a config parser or an engine put around it.

    Errors of the disk that a user can fix, a full GPU, and a ValueError of one of our classes that a config makes (a setting
    gave it the value) are reported the same way. Those of disk and GPU count only where they caused all that followed: an
    error that arose while another was being handled is a fault of its own.
    """
    caused = True
    while error is not None:
        if isinstance(error, InputError):
            return error
        if caused and isinstance(error, OSError) and error.errno in DISK_REMEDIES:
            return InputError(error.filename or "the disk", str(error.strerror).lower(), DISK_REMEDIES[error.errno])
        if caused and type(error).__name__ == "OutOfMemoryError":  # torch's, which this module does not import
            problem, _, _ = str(error).partition(". GPU ")  # then come counts of bytes
            return InputError("the GPU's memory", problem or "is full", GPU_REMEDY)
        cause = error.__cause__ or error.__context__
        component = re.match(rf"Failed to instantiate component '{__package__}\.[\w.]*\b(\w+)'", str(error))
        if component is not None and isinstance(cause, ValueError) and not isinstance(cause, InputError):
            return InputError(component[1], str(cause), "correct the setting that gives it this value")
        caused = caused and error.__cause__ is not None
        error = cause
    return None


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _close_bars()
    if isinstance(error, KeyboardInterrupt):
        terminated = isinstance(error, Terminated)
        print(f"{'terminated' if terminated else 'interrupted'}: {RESUMES}", file=sys.stderr)
        raise SystemExit(128 + (signal.SIGTERM if terminated else signal.SIGINT))
    reported = find_input_error(error)
    if reported is None or logging.getLogger().isEnabledFor(logging.DEBUG):
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"error: {reported}", file=sys.stderr)
        raise SystemExit(reported.exit_code)


def _close_bars() -> None:
    """End the progress bars, so that the message does not continue one's line or is overwritten by it."""
    if tqdm := sys.modules.get("tqdm"):
        for bar in list(getattr(tqdm.tqdm, "_instances", ())):
            bar.close()


def _is_new(record: logging.LogRecord) -> bool:
    """False where Ignite logs an error that it then passes on and that `_show` will show."""
    if not record.name.startswith("ignite."):
        return True
    error = sys.exc_info()[1]
    return not (isinstance(error, KeyboardInterrupt) or find_input_error(error))


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the bookkeeping
    raise Terminated


def print_anywhere() -> None:
    """Let no text fail to print where the terminal's encoding lacks a character: a dash becomes "-", others "?"."""
    codecs.register_error(REPLACE_DASHES, _replace_characters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=REPLACE_DASHES)


def _replace_characters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join("-" if unicodedata.category(character) == "Pd" else "?" for character in lacking), error.end


def report_input_errors() -> None:
    """Make this process end with one message for an `InputError`, Ctrl-C and SIGTERM; other errors keep their traceback.

    The exit code is the error's own, 130 or 143.
    """
    sys.excepthook = _show
    print_anywhere()
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGTERM, _terminate)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_new)
