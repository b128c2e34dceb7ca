"""What is trained on frozen features: a small MLP on each tile's vector."""

from __future__ import annotations

from torch import nn


class Projector(nn.Sequential):
    """`depth` times linear, ReLU, dropout; each `width` wide. Input [..., D], output [..., width].

    Args:
        num_features: D.
        width: units of each layer.
        depth: number of layers; 0 passes its input on.
        dropout: dropout rate.
    """

    def __init__(self, num_features: int, width: int = 96, depth: int = 3, dropout: float = 0.1) -> None:
        if num_features < 1 or width < 1 or depth < 0:
            raise ValueError(f"expected positive sizes, got features {num_features}, width {width}, depth {depth}")
        layers: list[nn.Module] = []
        for layer in range(depth):
            layers += [nn.Linear(width if layer else num_features, width), nn.ReLU(), nn.Dropout(dropout)]
        super().__init__(*layers)
        self.out_features = width if depth else num_features
