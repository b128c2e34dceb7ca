"""Files that are not the data that their name promises: what a download or a checkout may leave instead."""

from __future__ import annotations

import re
from pathlib import Path

from scangen_bundle.errors import InputError

HEAD = 512
AGAIN = "download or copy it again"
APPLE_DOUBLE = b"\x00\x05\x16\x07"
APPLE_DOUBLE_TEXT = (
    "is what macOS writes next to a file (AppleDouble), not the file itself",
    "take the file whose name lacks the leading '._'",
)


def is_apple_double(path: Path) -> bool:
    """Whether a file `._x` is what macOS writes next to the file `x`; listings of folders leave it out."""
    if not path.name.startswith("._"):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(len(APPLE_DOUBLE)) == APPLE_DOUBLE
    except OSError:
        return False


def refuse_apple_double(path: Path) -> None:
    """Refuse what macOS writes next to a file.

    Raises:
        InputError: the file is that.
    """
    if is_apple_double(path):
        raise InputError(path, *APPLE_DOUBLE_TEXT)


def what_it_is_instead(path: Path) -> tuple[str, str] | None:
    """What a file that should hold binary data is, and what to do about it; None where it does look like data.

    Returns:
        For example ("is a web page", "download it again; ...").
    """
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if not head:
        return "is empty", AGAIN
    if head.startswith(APPLE_DOUBLE):
        return APPLE_DOUBLE_TEXT
    if head.startswith(b"version https://git-lfs"):
        problem = "is a Git LFS pointer, a text that stands for the file"
        return problem, "get the file itself: git lfs pull, in the repository that it comes from"
    if re.match(rb"\s*<(!doctype|html|\?xml)", head, re.IGNORECASE):
        return "is a web page", f"{AGAIN}; a page comes instead of a file where a login or an agreement is missing"
    if not re.search(rb"[\x00-\x08\x0e-\x1f]", head):
        line = head.decode("utf-8", "replace").strip().split("\n")[0]
        return f"is a text that begins {line[:40]!r}", AGAIN
    return None
