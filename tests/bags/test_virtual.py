"""Files of tiles under virtual scanners: whole or refused."""

import io
import os
import zipfile

import numpy as np
import pytest

from scangen_bundle.bags.virtual import bank_settings, read_bank, write_bank
from scangen_bundle.errors import InputError


@pytest.fixture
def written(tmp_path):
    rng = np.random.default_rng(0)
    plain, virtual = rng.normal(size=(2, 5)), rng.normal(size=(3, 2, 5))
    path = tmp_path / "virtual" / "s1.npz"
    path.parent.mkdir()
    write_bank(path, plain, virtual, {"encoder": "x", "scanners": 3})
    return path, plain, virtual


def test_what_was_written_is_read(written):
    path, plain, virtual = written
    read = read_bank(path)
    np.testing.assert_allclose(read[0], plain, rtol=1e-3)
    np.testing.assert_allclose(read[1], virtual, rtol=2e-3, atol=1e-3)
    assert bank_settings(path) == {"encoder": "x", "scanners": 3}


def test_the_same_tiles_give_the_same_bytes(written, tmp_path):
    path, plain, virtual = written
    write_bank(tmp_path / "again.npz", plain, virtual, {"scanners": 3, "encoder": "x"})
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_file_is_refused_and_counts_as_not_made(written, damage):
    path, plain, _ = written
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[content.index(plain.astype(np.float16).tobytes())] ^= 16
    path.write_bytes({"cut": content[:-40], "flipped": content, "empty": b""}[damage])
    with pytest.raises(InputError, match="remove it and run banking again"):
        read_bank(path)


def test_features_too_large_for_the_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="too large for float16"):
        write_bank(tmp_path / "s.npz", np.full((1, 2), 1e6), np.zeros((1, 1, 2)), {})


def test_an_array_that_declares_more_than_the_file_holds_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "s.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f2", "fortran_order": False, "shape": (2**40, 512)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("plain.npy", header.getvalue())
    with pytest.raises(InputError, match=r"declares 1,125,899,906,842,624 bytes, it holds"):
        read_bank(path)


def test_a_python_object_in_a_file_is_not_made(tmp_path):
    class Program:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    np.savez(tmp_path / "s.npz", plain=np.array([Program()]), virtual=np.zeros((1, 1, 2)))
    with pytest.raises(InputError, match="cannot be read: Object arrays cannot be loaded"):
        read_bank(tmp_path / "s.npz")
    assert not (tmp_path / "made").exists()
