"""Multiple-instance learning on bags of features of different lengths."""

from __future__ import annotations

import torch
from monai.networks.nets import MILModel
from torch import nn

from scangen_bundle.methods import Method, Plain
from scangen_bundle.networks.attention import (
    Attention,
    GatedAttention,
    MaxAttention,
    MeanAttention,
    WeightedSum,
    sink_padding,
)
from scangen_bundle.networks.projector import Projector
from scangen_bundle.networks.transformer import MaskedEncoder, NoEncoder

MODES = ("mean", "max", "att", "gated_att", "att_trans")


class MaskedMILModel(MILModel):
    """MONAI's MILModel on pre-extracted features, with a mask for padding.

    A projector takes the place of MONAI's CNN backbone. Without padding the result is MONAI's, and its weights load (with a
    projector as MONAI's `backbone` and `attention_width=2048`). Padding changes nothing. The submodule `attention` outputs
    the weight of each tile [B, N], `embedding` the slide embedding [B, E] = sum of the weighted tiles: read them with a
    forward hook. A bag without a real tile has embedding 0.

    Modes (`MILModel` has all but "gated_att"):
        "mean": the tiles' mean; "max": for each class the highest logit of any tile (the embedding is the mean of the tiles
        that won); "att": attention and "gated_att": gated attention (M. Ilse et al., ICML 2018); "att_trans": a transformer
        among the tiles, then attention (A. Myronenko et al., MICCAI 2021).

    Args:
        num_classes: C.
        num_features: D, the length of a tile's vector.
        mil_mode: one of the modes above.
        projector_width: E, width of each of the projector's layers; 8 must divide it for "att_trans".
        projector_depth: number of layers; 0 leaves the vectors as they are (then E = D).
        projector_dropout: dropout after each layer.
        attention_width: hidden units of the attention.
        trans_blocks, trans_dropout: of the transformer.
        method: what makes scanners agree; the submodule `method`. Its `transform` comes before everything else, and what it
            fitted or learnt is part of the state. None: `methods.Plain`, which has no state.
    """

    def __init__(
        self,
        num_classes: int,
        num_features: int,
        mil_mode: str = "gated_att",
        projector_width: int = 96,
        projector_depth: int = 3,
        projector_dropout: float = 0.1,
        attention_width: int = 96,
        trans_blocks: int = 4,
        trans_dropout: float = 0.0,
        method: Method | None = None,
    ) -> None:
        if mil_mode not in MODES:
            raise ValueError(f"expected mil_mode to be one of {MODES}, got {mil_mode!r}")
        projector = Projector(num_features, projector_width, projector_depth, projector_dropout)
        super().__init__(num_classes, mil_mode="mean", backbone=projector, backbone_num_features=projector.out_features)
        self.mil_mode = mil_mode
        width = projector.out_features
        self.transformer = MaskedEncoder(width, trans_blocks, trans_dropout) if mil_mode == "att_trans" else NoEncoder()
        self.attention: nn.Module
        if mil_mode == "mean":
            self.attention = MeanAttention()
        elif mil_mode == "max":
            self.attention = MaxAttention()
        elif mil_mode == "gated_att":
            self.attention = GatedAttention(width, attention_width)
        else:
            self.attention = Attention(width, attention_width)
        self.embedding = WeightedSum()
        self.num_features = num_features
        self.set_method(Plain() if method is None else method)

    def set_method(self, method: Method) -> None:
        """Let this method take the place of the one before."""
        method.build(self.num_features, self.myfc.in_features, self.myfc.out_features)
        self.method = method

    def calc_head(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits [B, C] from projected tiles [B, N, E] and mask [B, N]."""
        if mask is None:
            mask = torch.ones_like(x[:, :, 0], dtype=torch.bool)
        x = self.transformer(x, mask)
        if self.mil_mode == "max":
            scores = self.myfc(x)
            self.embedding(x, self.attention(scores, mask))
            logits = sink_padding(scores, mask.unsqueeze(-1)).amax(dim=1)
            return torch.where(mask.any(dim=1, keepdim=True), logits, self.myfc.bias)
        return self.myfc(self.embedding(x, self.attention(x, mask)))

    def forward(
        self,
        x: torch.Tensor,
        mask: torch.Tensor | None = None,
        scanner: torch.Tensor | None = None,
        no_head: bool = False,
    ) -> torch.Tensor:
        """Logits of a batch of bags.

        Args:
            x: [B, N, D] tile features.
            mask: [B, N] bool, True for real tiles; None: all are.
            scanner: [B] int64 keys of the scanners (`methods.scanner_key`), for a method that needs them.
            no_head: give the projected tiles [B, N, E] instead.

        Returns:
            [B, C] logits.

        Raises:
            RuntimeError: the method needs the scanner, and it is not given or unknown.
        """
        x = self.net(self.method.transform(x, mask, scanner))
        if no_head:
            return x
        return self.calc_head(x, mask)
