"""What the processes of a distributed run each hold, brought together."""

from __future__ import annotations

from typing import TypeVar

import ignite.distributed as idist
import torch

T = TypeVar("T")


def gather(value: T) -> list[T]:
    """Each process's value (any picklable object), in the order of their ranks; every process has to call it."""
    size = idist.get_world_size()
    if size == 1:
        return [value]
    parts: list[T | None] = [None] * size
    torch.distributed.all_gather_object(parts, value)
    return parts  # type: ignore[return-value]  # all are filled now
