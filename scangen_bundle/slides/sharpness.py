"""How sharp tiles are, to compare scans of one scanner or specimen in an audit."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def tile_sharpness(tiles: np.ndarray) -> np.ndarray:
    """Variance of the Laplacian of the luminance of each tile uint8 [N, H, W, 3]: float64 [N], in grey levels squared.

    The 4-neighbour Laplacian, as Pech-Pacheco et al. 2000 use it to judge focus. It grows with contrast and with noise
    as well as with focus, so compare it at one mpp and on tissue only. NaN for tiles below 3 px.
    """
    if tiles.ndim != 4 or tiles.shape[-1] != 3 or tiles.dtype != np.uint8:
        raise ValueError(f"tiles have to be uint8 [N, H, W, 3], got {tiles.dtype} {tiles.shape}")
    if min(tiles.shape[1:3]) < 3:
        return np.full(len(tiles), np.nan)
    values = np.empty(len(tiles))
    for row, tile in enumerate(tiles):  # one at a time: memory does not grow with the batch
        values[row] = ndimage.laplace(tile @ np.asarray(LUMA))[1:-1, 1:-1].var()
    return values


def sharpness(tiles: np.ndarray) -> float:
    """Median of `tile_sharpness` over tiles uint8 [N, H, W, 3]; NaN without tiles."""
    return float(np.median(tile_sharpness(tiles))) if len(tiles) else float("nan")
