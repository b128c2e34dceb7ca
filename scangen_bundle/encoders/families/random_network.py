"""A control that has learnt nothing: a convolutional network with seeded random weights."""

from __future__ import annotations

from typing import Any

from scangen_bundle.encoders.base import Encoder
from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import CONTROL, IMAGENET_MEAN, IMAGENET_STD, EncoderSpec

SPEC = EncoderSpec(
    name="random-resnet18",
    family="control",
    domain=CONTROL,
    library="timm",
    architecture="resnet18",
    kwargs={"features_only": True, "out_indices": (4,), "zero_init_last": False},
    revision="seed-0",
    poolings={"gap": 512},
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    licence="Apache-2.0",
    parameters=11.2,
    built_in=True,
    note="Random weights: nothing was learnt. Works offline.",
)


@register(SPEC)
def make_random_network(spec: EncoderSpec, seed: int = 0, **options: Any) -> Encoder:
    """Make the network with the weights that `seed` gives; the seed is its revision.

    Args:
        spec: the registered record.
        seed: any non-negative integer.
        options: those of `TorchEncoder`.
    """
    import torch

    from scangen_bundle.encoders.timm_loading import build_timm, pool_timm
    from scangen_bundle.encoders.torch_encoder import TorchEncoder

    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network = build_timm(spec)
    return TorchEncoder(spec, pool_timm(network, "gap"), revision=f"seed-{seed}", **options)
