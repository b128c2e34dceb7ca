"""Small bags for the tests of this room."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from scangen_bundle.bags import BagAttributes

ATTRIBUTES = BagAttributes(
    slide_id="a",
    encoder="fake",
    revision="1",
    pooling="cls",
    dim=4,
    tile_px=224,
    mpp=0.5,
    source_mpp_x=0.25,
    source_mpp_y=0.25,
    effective_mpp_x=0.5,
    effective_mpp_y=0.5,
    read_level=0,
    scanner="fake scanner",
)


def make_attributes(**changes: Any) -> BagAttributes:
    return replace(ATTRIBUTES, **changes)


def make_bag_arrays(n: int, dim: int, dtype: str = "float16") -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n * 1000 + dim)
    return rng.normal(size=(n, dim)).astype(dtype), rng.integers(0, 10_000, (n, 2))
