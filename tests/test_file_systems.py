"""File systems without sync, locks or reserved space: one warning and on; a full disk is called full."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys

import pytest

from scangen_bundle import file_systems
from scangen_bundle.bags import open_bag, write_bag
from scangen_bundle.files import write_atomically
from scangen_bundle.locks import lock_file
from scangen_bundle.testing import make_attributes, make_bag_arrays


@pytest.fixture(autouse=True)
def not_warned_yet(monkeypatch):
    monkeypatch.setattr(file_systems, "_warned", set())


def refuse(monkeypatch, place, name, number):
    def call(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(place, name, call)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_where_nothing_can_be_synced_files_are_written_and_one_warning_says_so(tmp_path, monkeypatch, caplog, number):
    refuse(monkeypatch, os, "fsync", number)
    for name in ("a.csv", "b.csv"):
        with write_atomically(tmp_path / name) as temporary:
            temporary.write_text("whole")
    assert (tmp_path / "b.csv").read_text() == "whole"
    (record,) = caplog.records
    assert "cannot sync files" in record.message


def test_a_failing_disk_is_no_missing_call(tmp_path, monkeypatch):
    refuse(monkeypatch, os, "fsync", errno.EIO)
    with pytest.raises(OSError, match="Input/output"), write_atomically(tmp_path / "a.csv") as temporary:
        temporary.write_text("whole")
    assert os.listdir(tmp_path) == []


def test_a_lock_that_fails_otherwise_is_an_error(tmp_path, monkeypatch):
    refuse(monkeypatch, fcntl, "flock", errno.EIO)
    with pytest.raises(OSError, match="Input/output"), lock_file(tmp_path / "a.lock"):
        pass


def test_a_bag_is_written_where_space_cannot_be_reserved(tmp_path, monkeypatch):
    refuse(monkeypatch, os, "posix_fallocate", errno.EOPNOTSUPP)
    features, coords = make_bag_arrays(5, 4)
    write_bag(tmp_path / "a.h5", features, coords, make_attributes())
    assert len(open_bag(tmp_path / "a.h5")) == 5


def test_a_bag_that_another_program_has_locked_is_read(tmp_path):
    """HDF5's own lock answers as a file system without locks does: the file cannot be opened."""
    features, coords = make_bag_arrays(5, 4)
    write_bag(tmp_path / "a.h5", features, coords, make_attributes())
    with open(tmp_path / "a.h5", "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert len(open_bag(tmp_path / "a.h5")) == 5


FILL = """
import sys
from pathlib import Path
import torch
from scangen_bundle.errors import report_input_errors
from scangen_bundle.files import write_atomically
report_input_errors()
with write_atomically(Path(sys.argv[1]) / "last.pt") as temporary:
    torch.save({"weights": torch.zeros(2_000_000)}, temporary)
"""
SMALL_DISK = 'mount -t tmpfs -o size=2m none "$1" && "$2" -c "$3" "$1"; code=$?; ls -A "$1"; exit $code'


def test_a_full_disk_at_a_checkpoint_is_one_line_with_what_to_do(tmp_path, bundle_root):
    command = ["unshare", "-rm", "sh", "-c", SMALL_DISK, "sh", str(tmp_path), sys.executable, FILL]
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this system lets no user mount a small disk")
    ended = subprocess.run(command, capture_output=True, text=True, cwd=bundle_root, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {tmp_path}/last.pt: no space left on device -> free some space")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""  # no half file is left
