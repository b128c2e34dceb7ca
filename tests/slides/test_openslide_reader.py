"""Undoing OpenSlide's interpolation."""

from __future__ import annotations

import numpy as np
import pytest

from scangen_bundle.slides.openslide_reader import unshift


@pytest.mark.parametrize("shift", [0.25, 0.1, 0.003, 0.0, -0.003, -0.2, -0.25])
@pytest.mark.parametrize("axis", [0, 1])
def test_unshift_restores_pixels_that_linear_interpolation_has_mixed(shift: float, axis: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.float32)
    neighbour = np.roll(pixels, -1 if shift > 0 else 1, axis)
    mixed = (1 - abs(shift)) * pixels + abs(shift) * neighbour
    restored = unshift(mixed, shift, axis)
    inside = np.s_[8:-8, 8:-8]
    assert np.abs(restored[inside] - pixels[inside]).max() < 0.1


def test_unshift_leaves_a_flat_region_flat() -> None:
    flat = np.full((30, 30, 3), 243, np.uint8)
    np.testing.assert_allclose(unshift(flat, 0.2, 1), 243, atol=1e-3)
