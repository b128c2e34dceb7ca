"""A control that knows colour and nothing else: whatever it predicts, staining and scanner predict."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scangen_bundle.encoders.base import Encoder
from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import CONTROL, EncoderSpec

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
STATISTICS = ("mean", "std", *(f"q{int(q * 100)}" for q in QUANTILES))
CHANNELS = ("red", "green", "blue", "od_red", "od_green", "od_blue", "chroma_x", "chroma_y", "saturation")
NAMES = tuple(f"{channel}_{statistic}" for channel in CHANNELS for statistic in STATISTICS)

SPEC = EncoderSpec(
    name="colour-statistics",
    family="control",
    domain=CONTROL,
    poolings={"own": len(NAMES)},
    licence="Apache-2.0",
    parameters=0,
    built_in=True,
    note="Statistics of colour, no network and no weights. Works offline, with tiles of any side.",
)


# Optical density of each grey level; the offset keeps black finite.
DENSITY = -np.log10((np.arange(256, dtype=np.float32) + 1) / 256)


def colour_channels(tile: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The nine channels of a tile uint8 [H, W, 3]: float32 [9, H * W].

    Red, green and blue from 0 to 1; their optical densities -log10((v + 1) / 256); S cos(hue), S sin(hue) and the
    saturation S of HSV, because hue is an angle whose mean is no number, and is undefined in grey.
    """
    levels = np.ascontiguousarray(tile.reshape(-1, 3).T)
    red, green, blue = rgb = levels.astype(np.float32) / 255
    largest = rgb.max(0)
    saturation = np.divide(largest - rgb.min(0), largest, out=np.zeros_like(largest), where=largest > 0)
    # The hexagon's plane: hue is the angle of (x, y), https://en.wikipedia.org/wiki/HSL_and_HSV
    x, y = red - (green + blue) / 2, np.float32(np.sqrt(3) / 2) * (green - blue)
    radius = np.hypot(x, y)
    pull = np.divide(saturation, radius, out=np.zeros_like(radius), where=radius > 0)
    return np.stack([*rgb, *DENSITY[levels], x * pull, y * pull, saturation])


def quantiles(sorted_rows: npt.NDArray[np.float32], at: tuple[float, ...]) -> npt.NDArray[np.float32]:
    """Quantiles [len(at), R] of rows [R, N] that are sorted already, interpolated linearly (twice as fast as numpy)."""
    position = np.asarray(at) * (sorted_rows.shape[1] - 1)
    below = np.floor(position).astype(int)
    above = np.ceil(position).astype(int)
    return sorted_rows[:, below].T + (sorted_rows[:, above] - sorted_rows[:, below]).T * (position - below)[:, None]


class ColourStatistics(Encoder):
    """Mean, standard deviation and five quantiles of nine colour channels; feature i is called `NAMES[i]`."""

    def _encode(self, tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.stack([self._of_tile(tile) for tile in tiles])

    @staticmethod
    def _of_tile(tile: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        channels = np.sort(colour_channels(tile), axis=1)
        statistics = [channels.mean(1), channels.std(1), *quantiles(channels, QUANTILES)]
        return np.stack(statistics, axis=1).astype(np.float32).ravel()


register(SPEC)(ColourStatistics)
