"""Files are whole or absent."""

import os

import pytest

from scangen_bundle.files import check_writable, write_atomically


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
