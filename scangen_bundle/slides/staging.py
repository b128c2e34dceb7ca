"""Slides in object stores: copied to a scratch disk while they are read. `pip install s3fs`, `gcsfs`, `adlfs` or `aiohttp`.

OpenSlide reads files, so a slide is fetched as a whole, in ranges: after a break the copy goes on where it ended. It is
checked by size, by the store's MD5 where its tag is one, and by the tag being the same before and after.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scangen_bundle.errors import InputError
from scangen_bundle.files import temporary_file

logger = logging.getLogger(__name__)

EXTRAS = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
}
RANGE = 16 * 2**20  # bytes that are asked for at a time
ATTEMPTS = 6  # without a byte of progress
PAUSE = 1.0  # seconds before the second attempt, doubled before each further one
_SEVERAL_FILES = (".mrxs", ".dcm", ".vms", ".vmu")
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


class RefusedAccess(InputError):
    """The store does not let us in: no other slide of it can be read either."""


def size_of(address: str) -> int:
    """Bytes of the object.

    Raises:
        InputError: it is not there, or the store does not answer.
    """
    return int(_try(address, lambda: _tag_and_size(address), [0])[1])


def fetch(address: str, target: Path) -> None:
    """Copy an object to a file.

    Args:
        address: of the object, such as `s3://bucket/a.svs`.
        target: the file to write; where it holds the beginning of the object, the rest is added.

    Raises:
        RefusedAccess: credentials are missing, wrong or expired.
        InputError: the object is not there, changed meanwhile, came damaged, or the store does not answer.
        OSError: the scratch disk is full.
    """
    if address.lower().endswith(_SEVERAL_FILES):
        raise InputError(address, "this format is several files", "copy the slide to a disk, or save it as one file")
    tag, size = _try(address, lambda: _tag_and_size(address), [0])
    with open(target, "ab") as file:
        progress = [file.tell()]
        while progress[0] < size:
            end = min(progress[0] + RANGE, size)
            data = _try(address, partial(_read, address, progress[0], end), progress)
            file.write(data)
            progress[0] += len(data)
    if (tag, size) != _try(address, lambda: _tag_and_size(address), [0]):
        raise InputError(address, "the object changed while it was copied", "start again when it is whole")
    _check(address, target, tag, size)


def _check(address: str, target: Path, tag: str, size: int) -> None:
    problem = "" if target.stat().st_size == size else f"{target.stat().st_size} bytes came instead of {size}"
    if (md5 := _MD5.fullmatch(tag)) and not problem:
        with open(target, "rb") as file:
            digest = hashlib.md5(usedforsecurity=False)
            while block := file.read(2**20):
                digest.update(block)
        problem = "" if digest.hexdigest() == md5[1] else f"MD5 is {digest.hexdigest()}, the store says {md5[1]}"
    if problem:
        raise InputError(
            address, f"the copy is damaged: {problem}", "start again; if it repeats, upload the slide again"
        )


def _open(address: str) -> tuple[Any, str, dict[str, Any]]:
    """File system, path and facts of an object."""
    import fsspec

    system, path = fsspec.core.url_to_fs(address, use_listings_cache=False)
    system.invalidate_cache()
    return system, path, system.info(path)


def _tag_and_size(address: str) -> tuple[str, int]:
    _, _, facts = _open(address)
    if facts.get("size") is None:
        raise InputError(address, "the server does not say the file's size", "copy the slide to a disk")
    tag = next((str(facts[name]) for name in ("ETag", "etag", "md5Hash", "content_md5") if facts.get(name)), "")
    return tag, int(facts["size"])


def _read(address: str, start: int, end: int) -> bytes:
    import fsspec

    system, path = fsspec.core.url_to_fs(address)
    data = system.cat_file(path, start=start, end=end)
    if not data or len(data) > end - start:
        raise OSError(f"{len(data)} bytes came for a range of {end - start}")
    return data


def _try(address: str, work: Callable[[], Any], progress: list[int]) -> Any:
    """Do work of the network, again where it breaks off."""
    for attempt in range(ATTEMPTS):
        try:
            return work()
        except InputError:
            raise
        except ImportError as error:
            package = EXTRAS.get(address.partition("://")[0], "fsspec")
            raise InputError(address, f"cannot be reached: {error}", f"pip install {package}") from error
        except Exception as error:  # each store has errors of its own
            if _is_refusal(error):
                remedy = "renew the credentials and run again; finished bags are kept"
                raise RefusedAccess(address, f"the store refuses access: {error}", remedy) from error
            if _is_missing(error):
                raise InputError(address, "there is no such object", "correct slide_path in the manifest") from error
            if attempt == ATTEMPTS - 1:
                problem = f"the store does not answer, after {progress[0]} bytes and {ATTEMPTS} attempts: {error!r}"
                raise InputError(address, problem, "run again when it does; finished bags are kept") from error
            logger.info("%s: attempt %d broke off after %d bytes: %r", address, attempt + 1, progress[0], error)
            time.sleep(PAUSE * 2**attempt)
    raise AssertionError


def _is_refusal(error: BaseException) -> bool:
    statuses = {getattr(cause, "status", None) for cause in (error, error.__cause__)}
    is_unsigned = type(error).__name__ in ("NoCredentialsError", "DefaultCredentialsError")
    return isinstance(error, PermissionError) or bool(statuses & {401, 403}) or is_unsigned


def _is_missing(error: BaseException) -> bool:
    """Whether the object is not there; fsspec says so, too, where a web server does not answer."""
    cause = error.__cause__
    is_broken_line = isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError)
    is_other_status = getattr(cause, "status", 404) != 404
    return isinstance(error, FileNotFoundError) and not (is_broken_line or is_other_status)


@contextmanager
def staged(address: str, folder: Path, name: str) -> Iterator[Path]:
    """A copy of a slide in a scratch folder, under a temporary name, removed afterwards; see `fetch`."""
    suffix = Path(urlsplit(address).path).suffix
    with temporary_file(folder / f"{name}{suffix}") as path:
        fetch(address, path)
        yield path


def scratch_folder(stated: str | os.PathLike[str] | None) -> Path:
    """The scratch folder: as stated, or in the system's temporary folder (`TMPDIR`, which Slurm sets to a local disk)."""
    return Path(stated) if stated else Path(tempfile.gettempdir()) / "scangen_slides"
