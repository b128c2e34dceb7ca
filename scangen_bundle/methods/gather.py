"""The batches of all processes as one, with gradient: methods compare scans that lie in different processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from scangen_bundle.methods.method import Batch


def gather_batch(
    embedding: torch.Tensor, logits: torch.Tensor, batch: Batch
) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Join the processes' embeddings [B, E], logits [B', C] and numbers [B], in the order of their ranks.

    Each process may have another B. Every process computes the same terms of the joined batch. Under
    DistributedDataParallel, which averages gradients, the gradient is that of one process with the whole batch.
    Entries of `batch` with more than one dimension are left out. A single process gets its own back.
    """
    numbers = {name: value for name, value in batch.items() if value.dim() == 1}
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return embedding, logits, numbers
    sizes = _sizes(embedding)
    joined = {name: _join(numbers[name], sizes) for name in sorted(numbers)}
    return _join_with_gradient(embedding, sizes), _join_with_gradient(logits, _sizes(logits)), joined


def _sizes(values: torch.Tensor) -> list[int]:
    """Number of rows in each process."""
    count = torch.tensor([len(values)], device=values.device)
    counts = count.new_zeros(torch.distributed.get_world_size())
    torch.distributed.all_gather(list(counts.split(1)), count)
    return counts.tolist()


def _pad(values: torch.Tensor, length: int) -> torch.Tensor:
    padding = values.new_zeros(length - len(values), *values.shape[1:])
    return torch.cat([values, padding]).contiguous()


def _unpadded(gathered: Sequence[torch.Tensor], sizes: list[int]) -> torch.Tensor:
    return torch.cat([values[:size] for values, size in zip(gathered, sizes, strict=True)])


def _join(values: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    padded = _pad(values, max(sizes))
    gathered = [torch.zeros_like(padded) for _ in sizes]
    torch.distributed.all_gather(gathered, padded)
    return _unpadded(gathered, sizes)


def _join_with_gradient(values: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    from torch.distributed.nn.functional import all_gather

    return _unpadded(all_gather(_pad(values, max(sizes))), sizes)
