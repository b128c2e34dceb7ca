"""The next batch is read while the network works on this one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch.utils.data import DataLoader


class PrefetchLoader(DataLoader):
    """PyTorch's `DataLoader`, one batch ahead in a thread; arguments are its own.

    Reading mapped bags is copying, during which Python's lock is free: a thread is enough, and spares what worker processes
    cost, which is to copy each batch once more into memory that two processes share. An error in reading is raised where the
    batch is asked for (MONAI's `ThreadDataLoader` ends the epoch there, without a word).

    With `num_workers=0` the dataset's transform runs in that thread, beside the network. MONAI's random transforms have a
    generator of their own; one that draws from torch's global generator would take numbers from dropout in no fixed order.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        batches = super().__iter__()
        with ThreadPoolExecutor(1, thread_name_prefix="next-batch") as pool:
            coming = pool.submit(next, batches, None)
            while (batch := coming.result()) is not None:
                coming = pool.submit(next, batches, None)
                yield batch
