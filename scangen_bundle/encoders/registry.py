"""Every encoder by its name. An entry is a spec and the function that makes an encoder of it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from scangen_bundle.encoders.base import Encoder
from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.errors import InputError


class Entry(NamedTuple):
    """A spec and its maker: `make(spec, **options) -> Encoder`."""

    spec: EncoderSpec
    make: Callable[..., Encoder]


ENCODERS: dict[str, Entry] = {}
Maker = TypeVar("Maker", bound=Callable[..., Encoder])


def register(*specs: EncoderSpec) -> Callable[[Maker], Maker]:
    """Enter one or more specs, all made by the decorated function `make(spec, **options) -> Encoder`.

    Raises:
        ValueError: if a name is taken by a different spec.
    """

    def enter(make: Maker) -> Maker:
        for spec in specs:
            if ENCODERS.setdefault(spec.name, Entry(spec, make)).spec != spec:
                raise ValueError(f"encoder {spec.name!r} is registered already, with a different spec")
        return make

    return enter


def find_encoder(name: str) -> Entry:
    """The entry called `name`.

    Raises:
        InputError: if there is none; it names the nearest ones.
    """
    if name not in ENCODERS:
        near = difflib.get_close_matches(str(name).lower(), ENCODERS, n=3, cutoff=0.4)
        remedy = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(
            f"encoder {name!r}", "no encoder has this name", f"{remedy}the registered ones are {', '.join(ENCODERS)}"
        )
    return ENCODERS[name]


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
    entry = find_encoder(name)
    try:
        return entry.make(entry.spec, **options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise InputError(f"encoder {name!r}", f"it does not take this option: {error}", "remove it") from error
