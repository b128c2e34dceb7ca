"""Encoders that run in torch: device, precision and preprocessing around any network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from scangen_bundle.encoders.base import Encoder
from scangen_bundle.encoders.preprocess import normalise, resize_and_crop
from scangen_bundle.encoders.spec import PRECISIONS, EncoderSpec
from scangen_bundle.errors import InputError


def choose_device(device: str | torch.device | None) -> torch.device:
    """The device asked for; None or `auto` takes the GPU where there is one.

    Raises:
        InputError: if the device is not a device, or a GPU that is not there.
    """
    cuda = torch.cuda.is_available()
    if device is None or device == "auto":
        return torch.device("cuda" if cuda else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"device {device!r}", "torch knows no such device", "take auto, cpu or cuda") from error
    if chosen.type == "cuda" and (not cuda or (chosen.index or 0) >= torch.cuda.device_count()):
        count = torch.cuda.device_count() if cuda else 0
        raise InputError(f"device {device!r}", f"torch sees {count} GPUs here", "take auto or cpu, or mend the driver")
    return chosen


class TorchEncoder(Encoder):
    """An encoder around a torch module.

    On a GPU the forward pass runs under autocast in the spec's precision, on pinned memory; on a CPU in float32.

    Args:
        spec: the registered record.
        network: float32 [B, 3, input_px, input_px], normalised, to [B, dim] (pooled). It is moved and frozen.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`, ...
        precision: `float32`, `float16` or `bfloat16` of the forward pass on a GPU; None takes the spec's.
        options: `revision`, `pooling`, `tile_px` and `mpp` of `Encoder`.

    Raises:
        InputError: if the device is not there, or the precision is unknown or not one for a CPU.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        network: torch.nn.Module,
        device: str | torch.device | None = "auto",
        precision: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(spec, **options)
        if spec.mean is None or spec.std is None:
            raise InputError(f"encoder {self.name!r}", "its spec has no mean and std to normalise with", "state both")
        self.device = choose_device(device)
        if precision is not None and precision not in PRECISIONS:
            problem = f"precision {precision!r} is unknown"
            raise InputError(f"encoder {self.name!r}", problem, f"take one of {', '.join(PRECISIONS)}")
        if self.device.type == "cpu":
            if precision not in (None, "float32"):
                raise InputError(f"encoder {self.name!r}", f"precision {precision!r} on a CPU", "leave it to float32")
            precision = "float32"
        self.precision = precision or spec.precision
        self._padded_to = 0
        network = network.float().eval().requires_grad_(False)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)

    def new_buffer(self, shape: Sequence[int]) -> npt.NDArray[np.uint8]:
        """A buffer for tiles; for a GPU in pinned memory."""
        return torch.empty(tuple(shape), dtype=torch.uint8, pin_memory=self.device.type == "cuda").numpy()

    def isolate_tiles(self, batch_size: int) -> bool:
        """On a GPU all batches get one size from here on, and a trial tells whether neighbours matter then.

        Kernels are chosen by a batch's size, and round differently. On a CPU batches stay those of one slide.
        """
        if self.device.type != "cuda":
            return False
        self._padded_to = batch_size
        generator = np.random.default_rng(0)
        tiles = generator.integers(0, 256, (batch_size, self.tile_px, self.tile_px, 3), np.uint8)
        order = generator.permutation(batch_size)
        if np.array_equal(self.encode(tiles)[order], self.encode(tiles[order])):
            return True
        self._padded_to = 0
        return False

    def prepare(self, tiles: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Tiles uint8 [B, H, H, 3] to what the network takes: float32 [B, 3, input_px, input_px] on the device."""
        batch = torch.from_numpy(np.ascontiguousarray(tiles))
        if self.device.type == "cuda":
            pinned = batch if batch.is_pinned() else batch.pin_memory()
            batch = pinned.to(self.device, non_blocking=True)
            if (missing := self._padded_to - len(batch)) > 0:
                batch = torch.cat([batch, batch.new_zeros((missing, *batch.shape[1:]))])
        # A permuted [B, H, W, 3] array is channels_last in memory already: nothing is copied.
        return normalise(resize_and_crop(batch.permute(0, 3, 1, 2), self.spec), self.spec)

    def start(self, tiles: npt.NDArray[np.uint8]) -> Callable[[], npt.NDArray[np.float32]]:
        """Queue copies and kernels on the GPU; the answer waits for an event behind them, so that the next batch can follow."""
        if self.device.type != "cuda" or not len(tiles):
            return super().start(tiles)
        with torch.inference_mode(), torch.cuda.device(self.device):
            features = self._forward(tiles)
            vectors = torch.empty(features.shape, dtype=torch.float32, pin_memory=True)
            vectors.copy_(features, non_blocking=True)
            event = torch.cuda.Event()
            event.record()

        def wait() -> npt.NDArray[np.float32]:
            event.synchronize()
            return vectors.numpy()

        return wait

    @torch.inference_mode()
    def _encode(self, tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return self._forward(tiles).cpu().numpy()

    def _forward(self, tiles: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Float32 [B, dim] on the device."""
        pixels = self.prepare(tiles)
        with torch.autocast(
            self.device.type, dtype=getattr(torch, self.precision), enabled=self.precision != "float32"
        ):
            features = self.network(pixels)
        return features[: len(tiles)].float()
