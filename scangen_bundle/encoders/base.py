"""What every encoder is to the rest of the package, whatever library runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.errors import InputError


def choose_pooling(spec: EncoderSpec, pooling: str | None) -> str:
    """The pooling asked for, or the spec's own.

    Raises:
        InputError: if it is not one of the spec's.
    """
    if pooling is not None and pooling not in spec.poolings:
        known = ", ".join(f"{name} (D = {dim})" for name, dim in spec.poolings.items())
        raise InputError(f"encoder {spec.name!r}", f"it has no pooling {pooling!r}", f"take one of {known}")
    return pooling or spec.pooling


class Encoder(ABC):
    """Tiles in, one vector for each out. It owns its normalisation and its device.

    Args:
        spec: the registered record.
        revision: what was really loaded (a commit, a checksum), if it is known better than `spec.revision`.
        pooling: one of `spec.poolings`; None takes `spec.pooling`.
        tile_px: side of the tiles it will be given, px; None takes `spec.tile_px`.
        mpp: resolution of the tiles it will be given, µm/px; None takes `spec.mpp`.

    Attributes:
        name, revision, pooling, dim, tile_px, mpp, licence: what a feature bag records.
        domain: what it was trained on.

    Raises:
        InputError: if the pooling is not one of the spec's, or a number is out of range.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        revision: str | None = None,
        pooling: str | None = None,
        tile_px: int | None = None,
        mpp: float | None = None,
    ) -> None:
        self.spec = spec
        self.name, self.licence, self.domain = spec.name, spec.licence, spec.domain
        self.revision = revision or spec.revision
        self.pooling = choose_pooling(spec, pooling)
        self.dim = spec.poolings[self.pooling]
        self.tile_px = spec.tile_px if tile_px is None else int(tile_px)
        self.mpp = spec.mpp if mpp is None else float(mpp)
        if not (self.tile_px > 0 and 0 < self.mpp < 10):
            problem = f"tile_px is {self.tile_px} and mpp is {self.mpp}"
            raise InputError(f"encoder {self.name!r}", problem, "give px above 0, and µm/px above 0 and below 10")

    @property
    def key(self) -> str:
        """Two vectors may be mixed only if their encoders have the same key; safe as a file name."""
        return f"{self.name}@{self.revision}_{self.pooling}_{self.tile_px}px_{self.mpp:g}mpp"

    def encode(self, tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Encode tiles.

        Args:
            tiles: uint8 [B, tile_px, tile_px, 3], RGB, at `mpp`; B may be 0.

        Returns:
            float32 [B, dim].

        Raises:
            InputError: if the tiles have another shape or type.
        """
        expected = (self.tile_px, self.tile_px, 3)
        if tiles.dtype != np.uint8 or tiles.ndim != 4 or tiles.shape[1:] != expected:
            raise InputError(
                f"encoder {self.name!r}",
                f"tiles are {tiles.dtype} {list(tiles.shape)}, expected uint8 [B, {self.tile_px}, {self.tile_px}, 3]",
                "cut tiles of the encoder's tile_px, or make the encoder with the tile_px that you have",
            )
        if len(tiles) == 0:
            return np.empty((0, self.dim), np.float32)
        features = self._encode(tiles)
        if features.shape != (len(tiles), self.dim):
            raise RuntimeError(f"encoder {self.name!r} gave {features.shape}, expected {(len(tiles), self.dim)}")
        return features

    def start(self, tiles: npt.NDArray[np.uint8]) -> Callable[[], npt.NDArray[np.float32]]:
        """Begin to `encode`, where the device works by itself; calling the answer waits for the vectors.

        The tiles must not change before. Encoders on a CPU do all of it now.
        """
        vectors = self.encode(tiles)
        return lambda: vectors

    def isolate_tiles(self, batch_size: int) -> bool:
        """Have a tile's vector be the same, bit by bit, whatever else is in its batch, if this encoder can.

        Then a batch may hold tiles of several slides.

        Args:
            batch_size: the most tiles that it will be given at a time.
        """
        return False

    def new_buffer(self, shape: Sequence[int]) -> npt.NDArray[np.uint8]:
        """A buffer for tiles, in memory that the device copies from fastest."""
        return np.empty(shape, np.uint8)

    @abstractmethod
    def _encode(self, tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`encode` for at least one tile of the right shape."""
