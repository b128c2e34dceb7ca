"""Attention: modules that turn a bag's tiles into weights."""

from __future__ import annotations

import torch
from torch import nn


def sink_padding(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Scores [B, N, ...] with padding below any real one: -3e4 is within float16's range, and its exponential is 0."""
    return scores.masked_fill(~mask, -3e4)


def masked_softmax(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Softmax over the real tiles of each bag [B, N]; padding gets exactly 0, and so does all of a bag without tiles."""
    return torch.softmax(sink_padding(scores, mask), dim=1) * mask


class Attention(nn.Sequential):
    """Attention of M. Ilse et al., ICML 2018: softmax_i w' tanh(V x_i). Its layers have the names of MONAI's MILModel.

    Args:
        features: length E of a tile's vector.
        width: hidden units.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__(nn.Linear(features, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Weights [B, N] of tiles [B, N, E]; `mask` [B, N] is True for real tiles."""
        for layer in self:
            x = layer(x)
        return masked_softmax(x.squeeze(-1), mask)


class GatedAttention(nn.Module):
    """Gated attention of M. Ilse et al., ICML 2018: softmax_i w' (tanh(V x_i) * sigmoid(U x_i)).

    Args:
        features: length E of a tile's vector.
        width: hidden units.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.value = nn.Linear(features, width)
        self.gate = nn.Linear(features, width)
        self.score = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Weights [B, N] of tiles [B, N, E]; `mask` [B, N] is True for real tiles."""
        gated = torch.tanh(self.value(x)) * torch.sigmoid(self.gate(x))
        scores = self.score(gated)
        return masked_softmax(scores.squeeze(-1), mask)


class MeanAttention(nn.Module):
    """Every real tile counts the same."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Weights [B, N]; of `x` only the type is used."""
        real = mask.to(x.dtype)
        return real / real.sum(dim=1, keepdim=True).clamp_min(1)


class MaxAttention(nn.Module):
    """The tiles that decide: for each class the one with the highest logit, each with weight 1 / C."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Weights [B, N] from the tiles' logits `x` [B, N, C]."""
        winner = sink_padding(x, mask.unsqueeze(-1)).argmax(dim=1)
        weights = torch.zeros_like(x).scatter(1, winner.unsqueeze(1), 1.0)
        return weights.mean(dim=2) * mask


class WeightedSum(nn.Module):
    """The slide embedding: the tiles' vectors, summed with their weights."""

    def forward(self, x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """[B, E] from tiles [B, N, E] and weights [B, N]."""
        return torch.bmm(weights.unsqueeze(1), x).squeeze(1)
