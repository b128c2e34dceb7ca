"""A zip whose bytes depend on the content alone."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping

from scangen_bundle.files import write_atomically

FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can state


def write_archive(path: str | os.PathLike[str], files: Mapping[str, bytes]) -> None:
    """Write a zip with sorted entries, one fixed time and plain permissions.

    Args:
        path: the zip.
        files: content by name within the zip (with `/`).
    """
    with write_atomically(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, FIXED_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, files[name], compresslevel=9)
