"""What a download or a checkout left instead of the data."""

import pytest

from scangen_bundle.not_data import what_it_is_instead


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "is a Git LFS pointer"),
        (b"\n <!DOCTYPE HTML><html>Sign in</html>", "is a web page"),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "is what macOS writes next to a file"),
        ("größer;µm\n1;2\n".encode(), "is a text that begins 'größer;µm'"),
    ],
)
def test_what_is_no_data_is_called_what_it_is(tmp_path, content, told):
    (tmp_path / "file").write_bytes(content)
    problem, remedy = what_it_is_instead(tmp_path / "file")
    assert problem.startswith(told)
    assert remedy


@pytest.mark.parametrize("content", [b"PK\x03\x04\x00\x00", b"\x89HDF\r\n\x1a\n", b"\x80\x04\x95\x00"])
def test_data_are_left_to_their_reader(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert what_it_is_instead(tmp_path / "file") is None
