"""A vector per scan, found by the scan's id."""

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.runs.vectors import read_vectors, write_vectors


def test_vectors_come_back_in_the_order_that_is_asked_for(tmp_path):
    vectors = {name: np.full(3, number, np.float32) for number, name in enumerate("bca")}
    write_vectors(tmp_path / "v.npz", vectors)
    assert np.load(tmp_path / "v.npz")["slide_id"].tolist() == ["a", "b", "c"]
    assert read_vectors(tmp_path / "v.npz", ["c", "a"])[:, 0].tolist() == [1, 2]
    assert read_vectors(tmp_path / "absent.npz", ["a"]) is None


def test_missing_scans_and_damage_are_named(tmp_path):
    path = tmp_path / "v.npz"
    write_vectors(path, {"a": np.zeros(2)})
    with pytest.raises(InputError, match=r"lacks 1 scans \(x\)"):
        read_vectors(path, ["a", "x"])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read"):
        read_vectors(path, ["a"])
