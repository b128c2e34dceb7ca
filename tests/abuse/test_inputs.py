"""Damaged inputs are counted as right, refused, silent or as a traceback."""

import random

import pytest

from abuse.damage import ANY, cut
from abuse.inputs import KINDS, Kind, damage_once
from abuse.tally import COLUMNS, Tally, table
from scangen_bundle.errors import InputError


def refuses(path):
    if path.read_bytes() != b"0123456789":
        raise InputError(path, "is damaged", "copy it again")
    return "right"


@pytest.mark.parametrize(
    ("read", "column"),
    [
        (refuses, "refused"),
        (lambda path: "the same", "right"),
        (lambda path: path.read_bytes(), "silent"),
        (lambda path: 1 // (len(path.read_bytes()) == 10), "tracebacks"),
    ],
)
def test_each_outcome_is_counted_in_its_column(tmp_path, read, column):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "file.bin").write_bytes(b"0123456789")
    kind, row = Kind(f"toy {column}", "*.bin", read, (cut,)), Tally("toy")
    for seed in range(3):
        damage_once(kind, tmp_path / "base", tmp_path / "try", random.Random(seed), row)
    assert row.tries == getattr(row, column) == 3


@pytest.mark.parametrize("damage", ANY)
def test_a_damage_changes_the_content(damage):
    content = bytes(range(256)) * 8
    assert all(damage(content, random.Random(seed)) != content for seed in range(5))


def test_every_kind_has_its_own_name_and_the_table_sums_up():
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    text = table([Tally("one", tries=2, right=1, silent=1), Tally("other", tries=3, refused=3)])
    assert text.splitlines()[0].split() == list(COLUMNS)
    assert text.splitlines()[-1].split() == ["all", "5", "1", "3", "1", "0", "0", "0"]
