"""Files are whole or absent."""

import os
import subprocess
import sys
import time

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.files import check_writable, sweep, working_folder, write_atomically, write_folder_atomically

STOPPED = """
import os, signal, sys
from pathlib import Path
from scangen_bundle.files import working_folder, write_atomically, write_folder_atomically
folder = Path(sys.argv[1])
with (
    write_atomically(folder / "a.pt") as file,
    write_folder_atomically(folder / "result", is_ours=bool) as result,
    working_folder("scangen") as work,
):
    file.write_text("half")
    (result / "half").touch()
    (work / "half").touch()
    print("ready", flush=True)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


def test_a_finished_write_replaces_the_old_file(tmp_path):
    path = tmp_path / "new_folder" / "a.csv"
    for text in ("one", "two"):
        with write_atomically(path) as temporary:
            assert temporary.suffix == ".csv"
            temporary.write_text(text)
    assert path.read_text() == "two"
    assert os.listdir(path.parent) == ["a.csv"]


def test_a_folder_that_takes_files_is_made_and_stays_empty(tmp_path):
    check_writable(tmp_path / "a" / "b")
    check_writable(tmp_path / "a" / "b")
    assert os.listdir(tmp_path / "a" / "b") == []


def test_a_folder_that_takes_no_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"exists|directory") as caught:
        check_writable(tmp_path / "file")
    assert caught.value.filename == str(tmp_path / "file")

    def refuse(**where):
        raise PermissionError(13, "Permission denied", "/somewhere/tmp1x2y")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(PermissionError) as caught:
        check_writable(tmp_path)
    assert caught.value.filename == str(tmp_path)


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def write_half():
        with write_atomically(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def is_ours(folder):
    return (folder / "ours").exists()


def test_a_finished_folder_replaces_an_earlier_one_of_ours(tmp_path):
    for content in ("one", "two"):
        with write_folder_atomically(tmp_path / "case", is_ours) as folder:
            (folder / "ours").write_text(content)
            (folder / content).touch()
    assert sorted(os.listdir(tmp_path / "case")) == ["ours", "two"]
    assert os.listdir(tmp_path) == ["case"]


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_not_ours_is_not_replaced(tmp_path, kind):
    target = tmp_path / "case"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "ours").touch()
    {"folder": target.mkdir, "file": target.touch, "link": lambda: target.symlink_to(tmp_path / "elsewhere")}[kind]()
    with pytest.raises(InputError, match="was not written by this program"), write_folder_atomically(target, is_ours):
        pass
    assert sorted(os.listdir(tmp_path)) == ["case", "elsewhere"]
    assert os.listdir(tmp_path / "elsewhere") == ["ours"]


def test_a_failed_folder_leaves_the_old_one(tmp_path):
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "ours").touch()

    def write_half():
        with write_folder_atomically(tmp_path / "case", is_ours) as folder:
            (folder / "half").touch()
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        write_half()
    assert os.listdir(tmp_path) == ["case"]
    assert os.listdir(tmp_path / "case") == ["ours"]


def start(tmp_path, how):
    """A process that holds half a file, half a folder and a working folder, alive or killed."""
    command = [sys.executable, "-c", STOPPED, tmp_path, how]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def test_a_killed_process_leaves_nothing_that_the_next_write_does_not_remove(tmp_path):
    with start(tmp_path, "killed") as process:
        process.wait()
    assert len(os.listdir(tmp_path)) == 3
    with write_atomically(tmp_path / "b.csv") as temporary:
        temporary.touch()
    assert os.listdir(tmp_path) == ["b.csv"]


def test_what_a_living_process_writes_is_left_alone(tmp_path):
    with start(tmp_path, "waiting") as process:
        sweep(tmp_path)
        assert len(os.listdir(tmp_path)) == 3
        process.stdin.close()
        process.wait()
    assert sorted(os.listdir(tmp_path)) == ["a.pt", "result"]


def test_another_machines_temporary_file_is_removed_when_nothing_wrote_to_it_for_a_week(tmp_path):
    old, new = tmp_path / ".a.ffffff-1-abcdef.tmp.pt", tmp_path / ".b.ffffff-1-abcdef.tmp.pt"
    for path in (old, new):
        path.touch()
    eight_days_ago = time.time() - 8 * 24 * 3600
    os.utime(old, (eight_days_ago, eight_days_ago))
    sweep(tmp_path)
    assert os.listdir(tmp_path) == [new.name]


def test_a_folder_moved_aside_by_a_killed_process_goes_back_to_its_place(tmp_path):
    aside = tmp_path / ".case.ffffff-1-abcdef.old.svs"
    aside.mkdir()
    (aside / "ours").touch()
    os.utime(aside, (0, 0))
    sweep(tmp_path)
    assert os.listdir(tmp_path) == ["case.svs"]
    assert os.listdir(tmp_path / "case.svs") == ["ours"]


@pytest.mark.parametrize("name", [".bashrc", ".a.tmp.pt", "a.ffffff-1-abcdef.tmp.pt", ".a.12345678.tmp.h5"])
def test_other_files_are_never_removed(tmp_path, name):
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (0, 0))
    sweep(tmp_path)
    assert os.listdir(tmp_path) == [name]


def test_a_working_folder_is_private_and_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with working_folder("scangen") as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o077 == 0
    assert os.listdir(tmp_path) == []
