"""Memory for batches that is used again.

A batch of bags is tens of MB. Linux hands out fresh memory page by page and zeroes each page, at several times the cost of
filling it, so the memory of batches that nobody holds any more is kept for the next ones.
"""

from __future__ import annotations

import math
import weakref
from collections import deque

import numpy as np
import torch

KEPT = 3  # batches at once: in training, waiting, being read
LARGEST = 2**28  # bytes; the few batches beyond that, of evaluation, go back to the system


class BufferPool:
    """Float32 tensors whose memory comes back to the pool when the last tensor on it is gone.

    Safe to keep: a tensor, a view of it or a graph that saved it holds its memory as any tensor's. At most `KEPT` free
    buffers of at most `LARGEST` bytes each are kept. Threads may share a pool.
    """

    def __init__(self) -> None:
        self._free: deque[np.ndarray] = deque(maxlen=KEPT)  # its append and popleft need no lock

    def empty(self, *shape: int) -> torch.Tensor:
        """A tensor of this shape with arbitrary content."""
        count = math.prod(shape)
        if not 0 < 4 * count <= LARGEST:
            return torch.empty(shape)
        memory = self._take(count)
        array = memory[:count]
        # the tensor holds `array` and nothing else does, so `array` dies with the last tensor on it
        weakref.finalize(array, self._free.append, memory).atexit = False
        return torch.from_numpy(array).view(shape)

    def _take(self, count: int) -> np.ndarray:
        """A free buffer of at least `count` numbers; smaller ones are given up, or else a new one."""
        while True:
            try:
                memory = self._free.popleft()
            except IndexError:
                return np.empty(count, np.float32)
            if len(memory) >= count:
                return memory
