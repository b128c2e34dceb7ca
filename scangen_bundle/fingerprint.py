"""Has an input file or folder changed since an earlier session? One answer for every job that keeps results."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

END_BYTES = 65536  # read at the head and at the tail, where formats keep their headers and directories
SAMPLES, SAMPLE_BYTES = 8, 4096  # read in between, evenly spread
ABSENT = "absent"


def fingerprint(path: str | os.PathLike[str], times: bool = True) -> str:
    """A short text that changes when a file, or any file below a folder, is replaced, edited, added or removed.

    It is made of each file's size, modification time in ns, and a digest of its head, its tail and some samples in
    between, so that it costs at most 160 KB of reading per file. A path that does not exist has the fingerprint `ABSENT`.

    Args:
        path: a file, or a folder whose files are taken at any depth. A MIRAX slide (`x.mrxs`) takes its folder `x` along.
        times: take modification times too. Without them a copy has the fingerprint of its original, but an edit in
            place that keeps the size and misses all samples is not seen.
    """
    path = Path(path)
    if not path.exists():
        return ABSENT
    digest = hashlib.blake2b(digest_size=16)
    if path.is_file():
        _add_file(digest, path, times)
    companion = path.with_suffix("") if path.suffix.lower() == ".mrxs" else path
    for folder, subfolders, names in os.walk(companion, followlinks=True):
        subfolders.sort()
        for name in sorted(names):
            file = Path(folder) / name
            digest.update(str(file.relative_to(companion)).encode() + b"\0")
            if file.is_file():
                _add_file(digest, file, times)
    return digest.hexdigest()


def _add_file(digest: hashlib.blake2b, path: Path, times: bool) -> None:
    with open(path, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        digest.update(f"{status.st_size} {status.st_mtime_ns if times else ''} ".encode())
        digest.update(file.read(END_BYTES))
        inside = status.st_size - 2 * END_BYTES
        if inside <= 0:
            digest.update(file.read(END_BYTES))
            return
        for sample in range(SAMPLES):
            file.seek(END_BYTES + inside * sample // SAMPLES)
            digest.update(file.read(SAMPLE_BYTES))
        file.seek(-END_BYTES, os.SEEK_END)
        digest.update(file.read(END_BYTES))
