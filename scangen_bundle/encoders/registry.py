"""Every encoder by its name. An entry is a spec and the function that makes an encoder of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from scangen_bundle.encoders.base import Encoder, choose_pooling
from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.errors import InputError
from scangen_bundle.registry import Registry


class Entry(NamedTuple):
    """A spec and its maker: `make(spec, **options) -> Encoder`."""

    spec: EncoderSpec
    make: Callable[..., Encoder]


ENCODERS: Registry[Entry] = Registry("encoder", package="scangen_bundle.encoders.families")
Maker = TypeVar("Maker", bound=Callable[..., Encoder])


def register(*specs: EncoderSpec) -> Callable[[Maker], Maker]:
    """Enter one or more specs, all made by the decorated function or class `make(spec, **options) -> Encoder`.

    Raises:
        InputError: if a name is taken.
    """

    def enter(make: Maker) -> Maker:
        for spec in specs:
            ENCODERS.add(spec.name, Entry(spec, make))
        return make

    return enter


def create_encoder(name: str, **options: Any) -> Encoder:
    """Make the encoder called `name`, ready to encode.

    Args:
        name: a registered name.
        options: `pooling`, `tile_px` and `mpp` change what is asked of any encoder. Encoders that run in torch also take
            `device`, `precision`, `weights`, `revision` and `trust_remote_code`; those on ONNX Runtime `device` and
            `threads`. See the function that makes the family.

    Raises:
        InputError: if the name is unknown, an option is not one of the encoder's, or its weights are not here.
    """
    entry = ENCODERS[name]
    try:
        return entry.make(entry.spec, **options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise InputError(f"encoder {name!r}", f"it does not take this option: {error}", "remove it") from error


def num_features(name: str, pooling: str | None = None) -> int:
    """D of an encoder's vectors.

    Args:
        name: a registered name.
        pooling: one of the encoder's; None takes its default.

    Raises:
        InputError: if the registry does not have the encoder, or the encoder does not have the pooling.
    """
    try:
        spec = ENCODERS[name].spec
    except InputError as error:
        remedy = f"for features of an encoder that is not registered give --num_features; {error.remedy}"
        raise InputError(error.where, error.problem, remedy) from None
    return spec.poolings[choose_pooling(spec, pooling)]
