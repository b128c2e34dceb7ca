"""Self-attention among the tiles of a bag, with padding masked."""

from __future__ import annotations

import torch
from torch import nn


class MaskedEncoderLayer(nn.Module):
    """One layer of `nn.TransformerEncoder` (post-norm, ReLU), with its parameter names, that scripts and takes a mask.

    PyTorch's own layer switches to a fused path in evaluation that TorchScript and padding do not pass through alike.

    Args:
        features: width E, divisible by `heads`.
        heads: attention heads.
        hidden: units of the feed-forward part.
        dropout: dropout rate.
    """

    def __init__(self, features: int, heads: int = 8, hidden: int = 2048, dropout: float = 0.0) -> None:
        super().__init__()
        if features % heads:
            raise ValueError(f"expected a width that {heads} heads divide, got {features}")
        self.self_attn = nn.MultiheadAttention(features, heads)
        self.linear1 = nn.Linear(features, hidden)
        self.linear2 = nn.Linear(hidden, features)
        self.norm1 = nn.LayerNorm(features)
        self.norm2 = nn.LayerNorm(features)
        self.dropout = nn.Dropout(dropout)
        self.heads = heads
        self.rate = dropout

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """[B, N, E] from [B, N, E]; no tile attends to padding (`mask` [B, N] False)."""
        x = self.norm1(x + self.dropout(self.attend(x, mask)))
        hidden = self.dropout(torch.relu(self.linear1(x)))
        return self.norm2(x + self.dropout(self.linear2(hidden)))

    def attend(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Multi-head self-attention, without an [N, N] matrix in memory where the platform has such a kernel."""
        batch, tiles, features = x.shape
        joint = nn.functional.linear(x, self.self_attn.in_proj_weight, self.self_attn.in_proj_bias)
        joint = joint.reshape(batch, tiles, 3, self.heads, features // self.heads).permute(2, 0, 3, 1, 4)
        heads = nn.functional.scaled_dot_product_attention(
            joint[0],
            joint[1],
            joint[2],
            attn_mask=mask[:, None, None, :],
            dropout_p=self.rate if self.training else 0.0,
        )
        return self.self_attn.out_proj(heads.transpose(1, 2).reshape(batch, tiles, features))


class MaskedEncoder(nn.Module):
    """A stack of layers, with the parameter names of `nn.TransformerEncoder`."""

    def __init__(self, features: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MaskedEncoderLayer(features, dropout=dropout) for _ in range(blocks))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """[B, N, E] from [B, N, E] and mask [B, N]."""
        for layer in self.layers:
            x = layer(x, mask)
        return x


class NoEncoder(nn.Module):
    """Tiles that know nothing of each other."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """`x` as it is."""
        return x
