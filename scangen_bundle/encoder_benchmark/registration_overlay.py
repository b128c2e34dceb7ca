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
    height, width = fixed.shape[:2]
    aligned = _warp_to_fixed(moving, (height, width), step_um, registration)
    side = max(2, round(max(height, width) / 8))
    rows, columns = np.indices((height, width)) // side
    even = (rows + columns) % 2 == 0
    board = np.where(even[..., None], fixed, aligned)
    # Density of the fixed scan takes green and blue away: red.
    of_fixed, of_moving = 1 - tissue_signal(fixed), 1 - tissue_signal(aligned)
    colours = 255 * np.stack([of_moving, of_fixed, of_fixed], axis=-1)
    return np.concatenate([board, colours], axis=1).clip(0, 255).astype(np.uint8)


def _warp_to_fixed(
    moving: np.ndarray, shape: tuple[int, int], step_um: float, registration: Registration
) -> np.ndarray:
    """The moving overview as it lies on the fixed one of `shape` (h, w), float64; white where it has no pixel."""
    to_um = np.diag([step_um, step_um, 1.0])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # warp counts from pixel centres, the map from corners
    to_moving = np.linalg.inv(to_um) @ registration.matrix @ to_um
    inverse_map = ProjectiveTransform(np.linalg.inv(half) @ to_moving @ half)
    white = np.percentile(moving, 99, axis=(0, 1))
    channels = []
    for channel in range(3):
        values = moving[..., channel].astype(np.float64)
        channels.append(warp(values, inverse_map, output_shape=shape, cval=white[channel], order=1))
    return np.stack(channels, axis=-1)
