"""The fingerprint changes with every kind of change to a file or folder, and with nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from scangen_bundle.fingerprint import ABSENT, END_BYTES, fingerprint


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bags" / "a.h5"
    path.parent.mkdir()
    path.write_bytes(np.random.default_rng(0).bytes(5 * END_BYTES))
    return path


def rewrite(path: Path, position: int) -> None:
    """Change one byte and keep size and modification time."""
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_an_unchanged_file_keeps_its_fingerprint(file):
    assert fingerprint(file) == fingerprint(str(file))
    assert fingerprint(file.parent) == fingerprint(file.parent)


@pytest.mark.parametrize("position", [0, END_BYTES, 5 * END_BYTES - 1], ids=["head", "sample", "tail"])
def test_one_byte_changed_under_the_same_size_and_time_is_seen(file, position):
    before = fingerprint(file), fingerprint(file.parent)
    rewrite(file, position)
    after = fingerprint(file), fingerprint(file.parent)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_an_older_file_of_the_same_size_is_seen(file):
    before = fingerprint(file.parent)
    os.utime(file, ns=(0, file.stat().st_mtime_ns - 1))
    assert fingerprint(file.parent) != before


def test_a_longer_file_is_seen(file):
    before = fingerprint(file)
    times = file.stat()
    with open(file, "ab") as stream:
        stream.write(b"x")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fingerprint(file) != before


def test_a_file_added_removed_or_renamed_in_a_subfolder_is_seen(file):
    seen = [fingerprint(file.parent)]
    (file.parent / "deep").mkdir()
    shutil.copy2(file, file.parent / "deep" / "b.h5")
    seen.append(fingerprint(file.parent))
    (file.parent / "deep" / "b.h5").rename(file.parent / "deep" / "c.h5")
    seen.append(fingerprint(file.parent))
    file.unlink()
    seen.append(fingerprint(file.parent))
    assert len(set(seen)) == 4


def test_a_path_that_does_not_exist_is_absent_and_an_empty_folder_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    assert fingerprint(tmp_path / "none") == ABSENT
    assert fingerprint(tmp_path / "empty") != ABSENT


def test_without_times_a_copy_is_the_same_and_an_edited_one_is_not(file, tmp_path):
    copy = Path(shutil.copy(file, tmp_path / "copy.h5"))
    os.utime(copy, ns=(0, 1))
    assert fingerprint(copy, times=False) == fingerprint(file, times=False)
    assert fingerprint(copy) != fingerprint(file)
    rewrite(copy, 0)
    assert fingerprint(copy, times=False) != fingerprint(file, times=False)


def test_a_mirax_slide_takes_its_folder_along(tmp_path):
    slide, data = tmp_path / "a.mrxs", tmp_path / "a" / "Data0000.dat"
    data.parent.mkdir()
    slide.write_bytes(b"thumbnail")
    data.write_bytes(b"pixels")
    before = fingerprint(slide, times=False)
    data.write_bytes(b"others")
    assert fingerprint(slide, times=False) != before
