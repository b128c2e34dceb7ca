"""A flipped bit in a file of weights is found, and weights that are not finite are refused."""

import random

import pytest
import torch

from scangen_bundle.errors import InputError
from scangen_bundle.weights_file import check_finite_weights, check_undamaged


@pytest.fixture
def path(tmp_path):
    torch.save({"a": torch.randn(40, 40), "b": torch.arange(9)}, tmp_path / "w.pt")
    return tmp_path / "w.pt"


def test_a_flipped_bit_of_any_tensor_is_found(path):
    whole = path.read_bytes()
    check_undamaged(path)
    start = whole.index(torch.load(path)["a"].numpy().tobytes())
    for seed in range(20):
        spoilt = bytearray(whole)
        spoilt[start + random.Random(seed).randrange(40 * 40 * 4)] ^= 1 << seed % 8
        path.write_bytes(spoilt)
        torch.load(path)  # torch takes it
        with pytest.raises(InputError, match=r"w\.pt: is damaged: .*data/0 is not what was written -> copy it again"):
            check_undamaged(path)


def test_a_file_that_is_cut_short_is_found_or_is_no_archive(path):
    path.write_bytes(path.read_bytes()[:-30])
    check_undamaged(path)  # without its end it is no archive, which its reader reports


def test_files_without_checksums_pass(tmp_path):
    (tmp_path / "old.pt").write_bytes(b"of another layout")
    check_undamaged(tmp_path / "old.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_named(value):
    weights = {"a": torch.ones(3), "b": torch.tensor([1.0, value]), "c": torch.ones(2, dtype=torch.int64)}
    with pytest.raises(InputError, match=r"best\.pt: 1 of 3 weights are not finite: b -> train again"):
        check_finite_weights("best.pt", weights)
    check_finite_weights("best.pt", {"a": weights["a"], "c": weights["c"]})


def test_weights_of_8_bits_are_looked_at_like_others(tmp_path):
    check_finite_weights("w.pt", {"a": torch.zeros(3).to(torch.float8_e4m3fn)})
    with pytest.raises(InputError, match="1 of 1 weights are not finite: a"):
        check_finite_weights("w.pt", {"a": torch.full((3,), float("nan")).to(torch.float8_e4m3fn)})
