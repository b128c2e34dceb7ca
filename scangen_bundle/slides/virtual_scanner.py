"""Virtual scanners: smooth, random changes of colour, sharpness and noise, such as scanners differ by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import simplejpeg
from PIL import Image
from scipy import ndimage

# Optical densities of haematoxylin, eosin and DAB in R, G, B (A. Ruifrok, D. Johnston, Anal Quant Cytol Histol 23:291, 2001).
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
# Luma and two colour axes of R, G, B (YIQ): hue is an angle between the axes, saturation their length.
LUMA = np.array([[0.299, 0.596, 0.211], [0.587, -0.274, -0.523], [0.114, -0.322, 0.312]])
DARKEST = 1 / 255  # intensity whose density is the largest


@dataclass(frozen=True)
class VirtualScanner:
    """How one virtual scanner changes pixels.

    Attributes:
        density: [3, 3] map of optical density (row vectors R, G, B), from gains of the stains.
        density_offset: [3] added to the density.
        colour: [3, 3] map of intensities from 0 to 1, from saturation, hue, contrast and white point.
        colour_offset: [3] added to the intensities, from brightness and contrast.
        blur: standard deviation of a Gaussian, px; 0 for none.
        sharpen: factor of what a blur of 1 px removes, added; 0 for none.
        scale: share of the size to which a tile is reduced and enlarged again; 1 for none.
        noise: standard deviation of the noise, in intensities from 0 to 1.
        jpeg: quality, 1 to 100.
    """

    density: np.ndarray
    density_offset: np.ndarray
    colour: np.ndarray
    colour_offset: np.ndarray
    blur: float
    sharpen: float
    scale: float
    noise: float
    jpeg: int

    def apply(self, tiles: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Tiles uint8 [n, H, W, 3] as this scanner would give them.

        Args:
            tiles: uint8 [n, H, W, 3].
            generator: of the noise.
        """
        return np.stack([self._apply_one(tile, generator) for tile in tiles])

    def _apply_one(self, tile: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        image = np.maximum(tile.astype(np.float32) / 255, DARKEST)
        density = -np.log(image) @ self.density.astype(np.float32) + self.density_offset.astype(np.float32)
        image = np.exp(-density) @ self.colour.astype(np.float32) + self.colour_offset.astype(np.float32)
        if self.blur:
            image = ndimage.gaussian_filter(image, (self.blur, self.blur, 0))
        if self.sharpen:
            image += self.sharpen * (image - ndimage.gaussian_filter(image, (1, 1, 0)))
        if self.noise:
            image += self.noise * generator.standard_normal(image.shape, dtype=np.float32)
        pixels = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
        if self.scale < 1:
            pixels = _rescaled(pixels, self.scale)
        encoded = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=self.jpeg, colorsubsampling="420")
        return simplejpeg.decode_jpeg(encoded)


def draw_scanner(generator: np.random.Generator) -> VirtualScanner:
    """A random virtual scanner. The ranges span what the field's colour augmentations span."""
    gains = generator.uniform(0.7, 1.3, 3)
    density = np.linalg.inv(STAINS) @ np.diag(gains) @ STAINS
    offset = generator.normal(0, 0.015, 3) @ STAINS
    saturation, hue = generator.uniform(0.75, 1.25), generator.normal(0, np.pi / 36)
    contrast, brightness = generator.uniform(0.85, 1.15), generator.normal(0, 0.03)
    white = 1 + generator.normal(0, 0.02, 3)
    soft = generator.random() < 0.5
    return VirtualScanner(
        density=density,
        density_offset=offset,
        colour=_colour_map(saturation, hue) * contrast @ np.diag(white),
        colour_offset=(brightness + (1 - contrast) * 0.75) * white,
        blur=float(generator.uniform(0, 1.2)) if soft else 0.0,
        sharpen=0.0 if soft else float(generator.uniform(0, 1.0)),
        scale=float(generator.uniform(0.6, 1.0)) if generator.random() < 0.3 else 1.0,
        noise=float(generator.uniform(0, 0.015)),
        jpeg=int(generator.integers(60, 96)),
    )


def draw_scanners(count: int, seed: int) -> list[VirtualScanner]:
    """`count` virtual scanners; the first ones are the same whatever the count."""
    return [draw_scanner(np.random.default_rng((seed, index))) for index in range(count)]


def _colour_map(saturation: float, hue: float) -> np.ndarray:
    """[3, 3] map of row vectors R, G, B that scales saturation and turns the hue (radians); grey stays grey."""
    cosine, sine = saturation * np.cos(hue), saturation * np.sin(hue)
    turn = np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    return LUMA @ turn @ np.linalg.inv(LUMA)


def _rescaled(pixels: np.ndarray, scale: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    small = Image.fromarray(pixels).resize(
        (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX
    )
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
