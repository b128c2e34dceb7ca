"""Names from outside (ids of a manifest, file names, names of runs and plugins) that become file names here; addresses."""

from __future__ import annotations

from scangen_bundle.errors import InputError

LONGEST = 200  # bytes: a file name may have 255, and suffixes and temporary names need some
OBJECT_STORES = ("s3", "gs", "gcs", "az", "abfs", "http", "https")
ALLOWED = "use letters, digits, '_', '-' and '.'"


def unsafe_name(text: str) -> str:
    """Why a text cannot be a file name; "" if it can."""
    if not text:
        return "is empty"
    if "/" in text or "\\" in text:
        return f"{text!r} has a slash, so that it would leave the output folder; {ALLOWED}"
    if text.startswith("."):
        return f"{text!r} starts with a dot, so that its file would be hidden or leave the output folder"
    if not text.isprintable():
        return f"{text!r} has a character that does not print; {ALLOWED}"
    if len(text.encode()) > LONGEST:
        return f"is {len(text.encode())} bytes long, too long for a file name; at most {LONGEST}"
    return ""


def check_name(where: object, text: str) -> str:
    """The text, if it can be a file name.

    Args:
        where: the option, file or row that gives the name.

    Raises:
        InputError: it cannot.
    """
    if problem := unsafe_name(text):
        raise InputError(where, f"the name {problem}", "rename it")
    return text


def is_remote(path: str) -> bool:
    """Whether a path is the address of an object in a store, such as `s3://bucket/a.svs`."""
    scheme, separator, _ = path.partition("://")
    return bool(separator) and scheme.lower() in OBJECT_STORES
