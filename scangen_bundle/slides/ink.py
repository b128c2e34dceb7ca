"""Pen ink and dark bars on an overview, told from stain by the ratios of the colours' optical densities."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

STRONG_OD = 0.5
WEAK_OD = 0.08
CORE_PX = 5  # ink is wide: its full colour fills at least a square of this many px
FRINGE_PX = 2
EVEN = 1 / 255  # spread of a dark bar over `CORE_PX` px square, of the glass's light: tissue has texture


def ink_mask(density: np.ndarray) -> np.ndarray:
    """Blue, green, red and black ink, and dark bars: bool [h, w].

    Each colour of ink is a rule on ratios between the channels' optical densities, which neither the amount of ink nor
    a gamma of the scanner changes. A pixel is ink where the rule holds and the density is above `WEAK_OD`, if it
    touches an area of `CORE_PX` square where the density is above `STRONG_OD`; a fringe of `FRINGE_PX` px is added.
    Neutral black and grey are told by their colour alone. A bar with a tint has colours that tissue with two stains has as
    well (DAB over haematoxylin), so there it has to be as even as nothing of glass and tissue is.
    A wide pool of pure red blood may be taken for red ink.

    Args:
        density: optical density relative to the glass, float [h, w, 3].
    """
    red, green, blue = np.moveaxis(density, -1, 0)
    strength, chroma = strength_and_chroma(density)
    rules = (
        # Stain of tissue absorbs green at least as much as its neighbours; blue and green ink let blue or green through.
        (blue < 0.3 * red) & (green < 0.95 * red),
        (green < 0.7 * red) & (green < 0.7 * blue),
        (red < 0.2 * green) & (blue > 0.75 * green),
        chroma < 0.2 * strength,
        _even(density, (chroma < 0.3 * strength) & (strength > STRONG_OD)),
    )
    ink = np.zeros(strength.shape, bool)
    for rule in rules:
        strong = rule & (strength > STRONG_OD)
        if not strong.any():
            continue
        core = ndimage.maximum_filter(ndimage.minimum_filter(strong, CORE_PX), CORE_PX)  # opening, also at the border
        if core.any():
            weak = rule & (strength > WEAK_OD)
            ink |= ndimage.binary_propagation(core & weak, mask=weak)
    return ndimage.binary_dilation(ink, iterations=FRINGE_PX) if ink.any() else ink


def _even(density: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Px of `where` in a square of `CORE_PX` px that lies in it and has one brightness: bool [h, w]."""
    if not where.any():
        return where
    light = (10 ** -density.mean(axis=-1)).astype(np.float64)
    mean, squares = (ndimage.uniform_filter(values, CORE_PX) for values in (light, light**2))
    centres = ndimage.minimum_filter(where, CORE_PX) & (squares - mean**2 < EVEN**2)
    return ndimage.maximum_filter(centres, CORE_PX) & where


def strength_and_chroma(density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest optical density of the three colours, and the largest less the smallest: [h, w] each."""
    red, green, blue = np.moveaxis(density, -1, 0)  # by planes: numpy is slow along an axis of three
    strength = np.maximum(np.maximum(red, green), blue)
    return strength, strength - np.minimum(np.minimum(red, green), blue)
