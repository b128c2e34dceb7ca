import os
import zipfile

from scangen_bundle.share.archive import write_archive


def test_bytes_depend_on_content_only(tmp_path):
    files = {"b/two.txt": b"2" * 1000, "a.txt": b"1"}
    write_archive(tmp_path / "one.zip", files)
    os.utime(tmp_path / "one.zip", (0, 0))
    write_archive(tmp_path / "two.zip", dict(reversed(files.items())))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["a.txt", "b/two.txt"]
        assert archive.read("b/two.txt") == b"2" * 1000
        assert archive.testzip() is None
