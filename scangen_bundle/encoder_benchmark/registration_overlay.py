"""A picture of a registration, to be looked at: both scans in squares like a chess board, and in two colours."""

from __future__ import annotations

import numpy as np
from skimage.transform import ProjectiveTransform, warp

from scangen_bundle.slides.registration import Registration, tissue_signal


def registration_overlay(
    fixed: np.ndarray, moving: np.ndarray, step_um: float, registration: Registration
) -> np.ndarray:
    """Left: squares of the fixed scan and of the moving one in turn. Right: where only the fixed scan has tissue it is red,
    only the moving one cyan, both grey.

    Args:
        fixed, moving: overviews [h, w, 3], 0 to 255.
        step_um: size of an overview pixel, µm.
        registration: the map from fixed to moving.

    Returns:
        uint8 [h, 2 w, 3].
    """
    to_moving = np.diag([1 / step_um, 1 / step_um, 1.0]) @ registration.matrix @ np.diag([step_um, step_um, 1.0])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # warp counts from pixel centres, the map from corners
    inverse_map = ProjectiveTransform(np.linalg.inv(half) @ to_moving @ half)
    white = np.percentile(moving, 99, axis=(0, 1))
    height, width = fixed.shape[:2]
    brought = np.stack(
        [
            warp(moving[..., c].astype(np.float64), inverse_map, output_shape=(height, width), cval=white[c], order=1)
            for c in range(3)
        ],
        axis=-1,
    )
    side = max(2, round(max(height, width) / 8))
    rows, columns = np.indices((height, width)) // side
    board = np.where(((rows + columns) % 2 == 0)[..., None], fixed, brought)
    first, second = (1 - tissue_signal(picture) for picture in (fixed, brought))
    # Density of the fixed scan takes green and blue away: red.
    colours = 255 * np.stack([second, first, first], axis=-1)
    return np.concatenate([board, colours], axis=1).clip(0, 255).astype(np.uint8)
