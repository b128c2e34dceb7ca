"""One encoder for each device of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scangen_bundle.encoders import Encoder
from scangen_bundle.errors import InputError

OPTION = "option devices"


def make_encoders(
    encoder: Encoder | Callable[..., Encoder], devices: str | Sequence[str] | None = None
) -> list[Encoder]:
    """The encoders of a job.

    Args:
        encoder: an encoder, or what makes one: `encoder(device=...)`.
        devices: "auto" takes all GPUs, and without a GPU what the encoder chooses; a list names them; None is the encoder's
            own choice.

    Raises:
        InputError: devices are named for an encoder that is made already, or a device is not there.
    """
    names = _all_gpus() if devices == "auto" else [devices] if isinstance(devices, str) else devices
    if not callable(encoder):
        if names:
            problem = f"is {devices}, but the encoder is made already"
            raise InputError(OPTION, problem, "give the function that makes it, or leave devices out")
        return [encoder]
    return [encoder(device=name) for name in names] if names else [encoder()]


def _all_gpus() -> list[str]:
    import torch

    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
