"""Whether an encoder could be made here and now, without making it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.encoders.weights import find_weights
from scangen_bundle.errors import InputError

BY_LIBRARY = {"timm": ("torch", "timm"), "transformers": ("torch", "transformers"), "own": ()}


class Availability(NamedTuple):
    """`ready`: whether it can be made; `detail`: which weights were found, or what is missing; `remedy`: how to get it."""

    ready: bool
    detail: str
    remedy: str = ""


def check_availability(spec: EncoderSpec) -> Availability:
    """Look for the packages and the cached weights of an encoder. Offline, and loads nothing."""
    absent = [name for name in (*BY_LIBRARY[spec.library], *spec.packages) if find_spec(name) is None]
    if absent:
        return Availability(False, f"package {', '.join(absent)} is not installed", spec.note)
    if spec.built_in:
        return Availability(True, f"built in ({spec.revision})")
    try:
        found = find_weights(spec)
    except InputError as error:
        return Availability(False, error.problem, error.remedy)
    return Availability(True, f"{found.path} ({found.revision})")
