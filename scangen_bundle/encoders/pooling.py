"""One vector of a vision transformer's tokens."""

from __future__ import annotations

import torch


def pool_tokens(tokens: torch.Tensor, pooling: str, prefix: int) -> torch.Tensor:
    """Pool tokens [B, T, C] to [B, C], or to [B, 2 C] for `cls+mean`.

    Args:
        tokens: the class token, then `prefix` - 1 register tokens, then the patch tokens.
        pooling: `cls`, `mean` (of the patch tokens) or `cls+mean` (one after the other).
        prefix: number of tokens before the first patch token; they never enter the mean.
    """
    if pooling == "cls":
        return tokens[:, 0]
    mean = tokens[:, prefix:].float().mean(1)
    if pooling == "mean":
        return mean
    if pooling == "cls+mean":
        return torch.cat([tokens[:, 0].float(), mean], dim=1)
    raise ValueError(f"pooling {pooling!r} is none of tokens")
