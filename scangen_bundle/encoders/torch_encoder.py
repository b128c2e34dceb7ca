"""Encoders that run in torch: device, precision and preprocessing around any network."""

from __future__ import annotations

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
        network = network.float().eval().requires_grad_(False)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)

    def prepare(self, tiles: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Tiles uint8 [B, H, H, 3] to what the network takes: float32 [B, 3, input_px, input_px] on the device."""
        batch = torch.from_numpy(np.ascontiguousarray(tiles))
        if self.device.type == "cuda":
            batch = batch.pin_memory().to(self.device, non_blocking=True)
        # A permuted [B, H, W, 3] array is channels_last in memory already: nothing is copied.
        return normalise(resize_and_crop(batch.permute(0, 3, 1, 2), self.spec), self.spec)

    @torch.inference_mode()
    def _encode(self, tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        pixels = self.prepare(tiles)
        with torch.autocast(
            self.device.type, dtype=getattr(torch, self.precision), enabled=self.precision != "float32"
        ):
            features = self.network(pixels)
        return features.float().cpu().numpy()
