"""A shard of a cohort: the scans of one of n jobs, disjoint and complete without any word between the jobs."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from scangen_bundle.errors import InputError

OPTION = "option shard"
COUNT = "SCANGEN_SHARDS"
SLURM, KUBERNETES = "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"


@dataclass(frozen=True)
class Shard:
    """The `index`-th (from 0) of `count` shards.

    Raises:
        InputError: there is no such shard.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            problem = f"there is no shard {self}"
            remedy = f"shards count from 0: 0/{self.count} to {self.count - 1}/{self.count}" if self.count > 0 else ""
            raise InputError(OPTION, problem, remedy or "give i/n, such as 0/8")

    def has(self, slide_id: str) -> bool:
        """Whether a scan is in it. It stays there whatever other scans the manifest has."""
        digest = hashlib.sha256(slide_id.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str | None, environment: Mapping[str, str] = os.environ) -> Shard:
    """The shard of a setting.

    Args:
        text: "i/n"; "auto" takes the task of a Slurm array or of an indexed Kubernetes job, and the whole where there is
            none; None is the whole.
        environment: variables; `SCANGEN_SHARDS` is n, which Slurm else tells by the array and Kubernetes does not tell.

    Raises:
        InputError: it is no shard, or n is not known.
    """
    if text is None:
        return Shard()
    if text == "auto":
        return _of_scheduler(environment)
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
    if match is None:
        raise InputError(OPTION, f"is {text!r}, expected auto or i/n", "the first of 8 is 0/8")
    return Shard(int(match[1]), int(match[2]))


def _of_scheduler(environment: Mapping[str, str]) -> Shard:
    if SLURM in environment:
        if COUNT not in environment:
            return _of_slurm_array(environment)
        name = SLURM
    elif KUBERNETES in environment:
        name = KUBERNETES
        if COUNT not in environment:
            problem = f"{KUBERNETES} is set, but Kubernetes does not say of how many"
            raise InputError(OPTION, problem, f"set {COUNT} to the job's completions")
    else:
        return Shard()
    return Shard(_number(environment, name), _number(environment, COUNT))


def _of_slurm_array(environment: Mapping[str, str]) -> Shard:
    """The task's place in its array, `--array=first-last`.

    Raises:
        InputError: the array has gaps, such as `--array=3,7` to repeat two tasks: then n is not that of the first time.
    """
    task, first, last, count = (
        _number(environment, name)
        for name in (SLURM, "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_COUNT")
    )
    if last - first + 1 != count:
        problem = f"the Slurm array has {count} tasks from {first} to {last}: its gaps leave the number of shards open"
        raise InputError(OPTION, problem, f"set {COUNT}, or give --shard $SLURM_ARRAY_TASK_ID/n")
    return Shard(task - first, count)


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    if not re.fullmatch(r"\d{1,9}", text):
        raise InputError(OPTION, f"{name} is {text!r}, expected a whole number", "give --shard i/n")
    return int(text)
