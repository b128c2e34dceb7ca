"""Shards of a cohort: disjoint, complete, stable, and taken from the scheduler."""

from __future__ import annotations

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.extraction.shard import Shard, parse_shard

IDS = [f"slide-{number}" for number in range(2000)]


def test_every_scan_is_in_exactly_one_shard_and_shards_are_of_about_one_size():
    shards = [Shard(index, 7) for index in range(7)]
    owners = [[shard.index for shard in shards if shard.has(slide_id)] for slide_id in IDS]
    assert {len(owner) for owner in owners} == {1}
    sizes = [sum(owner == [index] for owner in owners) for index in range(7)]
    assert min(sizes) > 0.8 * len(IDS) / 7
    assert max(sizes) < 1.2 * len(IDS) / 7


def test_a_scans_shard_does_not_change_with_the_program():
    """`printf slide-8 | sha256sum` gives f1e2..., of whose first 8 bytes the last hexadecimal digit decides here."""
    assert [slide_id for slide_id in IDS[:12] if Shard(1, 4).has(slide_id)] == ["slide-8"]


ARRAY = {"SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "8", "SLURM_ARRAY_TASK_COUNT": "8"}


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        (None, {"SLURM_ARRAY_TASK_ID": "3"}, (0, 1)),
        ("2/8", {}, (2, 8)),
        ("auto", {}, (0, 1)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3", **ARRAY}, (2, 8)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3", "SCANGEN_SHARDS": "8"}, (3, 8)),
        ("auto", {"JOB_COMPLETION_INDEX": "5", "SCANGEN_SHARDS": "6"}, (5, 6)),
    ],
)
def test_a_shard_is_stated_or_taken_from_the_scheduler(text, environment, expected):
    assert parse_shard(text, environment) == Shard(*expected)


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("8/8", {}, r"option shard: there is no shard 8/8 -> shards count from 0: 0/8 to 7/8"),
        ("0/0", {}, "there is no shard 0/0 -> give i/n"),
        ("-1/8", {}, "is '-1/8', expected auto or i/n"),
        ("three", {}, "is 'three', expected auto or i/n"),
        ("auto", {"JOB_COMPLETION_INDEX": "5"}, "set SCANGEN_SHARDS to the job's completions"),
        ("auto", {"JOB_COMPLETION_INDEX": "5", "SCANGEN_SHARDS": "5"}, "there is no shard 5/5"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "7", **ARRAY, "SLURM_ARRAY_TASK_COUNT": "2"}, "its gaps leave the number"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "x", **ARRAY}, "SLURM_ARRAY_TASK_ID is 'x'"),
    ],
)
def test_what_is_no_shard_is_refused(text, environment, message):
    with pytest.raises(InputError, match=message):
        parse_shard(text, environment)
