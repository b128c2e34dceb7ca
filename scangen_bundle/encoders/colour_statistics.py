"""A control that knows colour and nothing else: whatever it predicts, staining and scanner predict."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scangen_bundle.encoders.base import Encoder
from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import CONTROL, HALF_MEAN, HALF_STD, EncoderSpec

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
STATISTICS = ("mean", "std", *(f"q{int(q * 100)}" for q in QUANTILES))
CHANNELS = ("red", "green", "blue", "od_red", "od_green", "od_blue", "chroma_x", "chroma_y", "saturation")
NAMES = tuple(f"{channel}_{statistic}" for channel in CHANNELS for statistic in STATISTICS)

SPEC = EncoderSpec(
    name="colour-statistics",
    family="control",
    domain=CONTROL,
    library="own",
    revision="1",
    poolings={"own": len(NAMES)},
    pooling="own",
    tile_px=224,
    mpp=0.5,
    mean=HALF_MEAN,
    std=HALF_STD,
    precision="float32",
    licence="Apache-2.0",
    gated=False,
    parameters=0,
    built_in=True,
    note="Statistics of colour, no network and no weights. Works offline, with tiles of any side.",
)


def colour_channels(tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The nine channels of uint8 [B, H, W, 3]: float32 [B, H * W, 9].

    Red, green and blue from 0 to 1; their optical densities -log10((v + 1) / 256); the saturation S of HSV, and
    S cos(hue), S sin(hue), because hue is an angle whose mean is no number, and is undefined in grey.
    """
    rgb = tiles.reshape(len(tiles), -1, 3).astype(np.float32)
    density = -np.log10((rgb + 1) / 256)
    rgb /= 255
    red, green, blue = np.moveaxis(rgb, -1, 0)
    # The hexagon's plane: hue is the angle of (x, y), https://en.wikipedia.org/wiki/HSL_and_HSV
    hue = np.arctan2(np.sqrt(3) / 2 * (green - blue), red - (green + blue) / 2)
    largest = rgb.max(-1)
    saturation = np.divide(largest - rgb.min(-1), largest, out=np.zeros_like(largest), where=largest > 0)
    chroma = np.stack([saturation * np.cos(hue), saturation * np.sin(hue), saturation], axis=-1)
    return np.concatenate([rgb, density, chroma], axis=-1)


class ColourStatistics(Encoder):
    """Mean, standard deviation and five quantiles of nine colour channels; feature i is called `NAMES[i]`."""

    def _encode(self, tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.stack([self._of_tile(tile) for tile in tiles])

    @staticmethod
    def _of_tile(tile: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        channels = colour_channels(tile[None])[0]
        statistics = [channels.mean(0), channels.std(0), *np.quantile(channels, QUANTILES, axis=0)]
        return np.stack(statistics, axis=1).astype(np.float32).ravel()


register(SPEC)(ColourStatistics)
