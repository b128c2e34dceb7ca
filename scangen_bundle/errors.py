"""Errors that a user can mend, and how a command shows them: one message, no traceback."""

from __future__ import annotations

import errno
import logging
import sys
import traceback
from collections.abc import Iterable, Sequence
from types import TracebackType

# What a disk says to a writer: no right, no room, and a file where a folder should be.
OF_THE_DISK = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EEXIST, errno.ENOTDIR)

# What a command of the bundle puts into the memory of a GPU at a time, by the settings that say how much.
LESS_AT_A_TIME = (
    "put less on it at a time: extracting, a lower --batch_size; training, a lower --num_tiles or --specimens_per_batch; its "
    "validation and evaluating, a lower --validate#dataloader#batch_sampler#max_tiles (65536); inferring, a lower "
    "--dataloader#batch_sampler#max_tiles; and end other programs that use it"
)


class InputError(ValueError):
    """Something that the user gave is wrong; the message is the whole story.

    Args:
        where: the file, row or option at fault.
        problem: what was found, beside what was expected.
        remedy: what to do about it.

    Attributes:
        exit_code: what a command ends with.
    """

    exit_code = 1

    def __init__(self, where: object, problem: str, remedy: str = "") -> None:
        self.where, self.problem, self.remedy = str(where), problem, remedy
        super().__init__(f"{where}: {problem}" + (f" -> {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        """An exception is else pickled by its message alone, and could not come back from another process."""
        return type(self), (self.where, self.problem, self.remedy)


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are, for a message that has to stay short."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def listed(title: str, problems: Sequence[object], most: int = 100) -> str:
    """A title and a line for each problem, as the problem of one `InputError`; of very many the first, and how many more."""
    more = [f"... and {len(problems) - most} more"] if len(problems) > most else []
    return "\n  ".join([title, *map(str, problems[:most]), *more]) + "\n"


def check_known(option: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names in an option that do not exist.

    Raises:
        InputError: it names them, and those that there are.
    """
    if unknown := sorted(set(given) - set(known)):
        raise InputError(f"option {option}", f"does not know {unknown}", f"it takes {', '.join(known)}")


def find_input_error(error: BaseException | None) -> InputError | None:
    """The InputError behind an exception, through the wrappers that a config parser or an engine put around it.

    A folder that cannot be written to or read, a full disk, and a value that one of our components refuses when a config makes
    it (a setting gave it) are told as one, too, and so is a GPU whose memory is full. What the disk or the GPU said counts only
    where it is the cause of all that followed: an error that arose while another was being dealt with is a fault of its own.
    """
    caused = True
    while error is not None:
        if isinstance(error, InputError):
            return error
        if caused and isinstance(error, OSError) and error.errno in OF_THE_DISK:
            remedy = "mend the folder's rights or make room, or name another folder (--help shows which are set)"
            return InputError(error.filename or "the disk", str(error.strerror).lower(), remedy)
        if caused and type(error).__name__ == "OutOfMemoryError":  # torch's, which this room does not import
            what, _, _ = str(error).partition(". GPU ")  # then come counts of bytes
            return InputError("the GPU's memory", what or "is full", LESS_AT_A_TIME)
        cause = error.__cause__ or error.__context__
        caused = caused and error.__cause__ is not None
        if str(error).startswith("Failed to instantiate component") and (component := _refusing(cause)):
            return InputError(component, str(cause), "correct the setting that gives it this value")
        error = cause
    return None


def _refusing(error: BaseException | None) -> str:
    """The class of ours whose constructor raised this ValueError itself; "" where it was none."""
    if not isinstance(error, ValueError) or error.__traceback__ is None:
        return ""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    ours = frame.f_globals.get("__name__", "").startswith(f"{__package__}.") and frame.f_code.co_name == "__init__"
    return type(frame.f_locals["self"]).__name__ if ours else ""


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    known = find_input_error(error)
    if known is None or logging.getLogger().isEnabledFor(logging.DEBUG):
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"error: {known}", file=sys.stderr)
        raise SystemExit(known.exit_code)


def _is_new(record: logging.LogRecord) -> bool:
    """False where Ignite logs an `InputError` that it then passes on: `_show` will show it."""
    return not (record.name.startswith("ignite.") and find_input_error(sys.exc_info()[1]))


def report_input_errors() -> None:
    """Make this process end with the message of an `InputError` alone and once; other errors keep their traceback."""
    sys.excepthook = _show
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_new)
