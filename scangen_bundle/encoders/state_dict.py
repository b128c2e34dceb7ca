"""What a file of weights holds: read without running its code, and put into a network that it fits exactly."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.encoders.weights import how_to_get
from scangen_bundle.errors import InputError, some
from scangen_bundle.not_data import AGAIN, what_it_is_instead
from scangen_bundle.weights_file import check_undamaged

if TYPE_CHECKING:
    import torch

# Training programs put the weights under one of these names, and their names under one of those prefixes.
WRAPPERS = ("model", "state_dict", "teacher", "model_state_dict")
PREFIXES = ("module.", "backbone.")


def load_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read names and tensors of a `.safetensors` file or a torch file, unwrapped. No code of the file is run.

    Raises:
        InputError: if the file cannot be read, or holds something else; it says what the file is instead.
    """
    import torch
    from safetensors.torch import load_file

    safe = path.suffix == ".safetensors"
    if path.is_file():
        check_undamaged(path)
    try:
        content: Any = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # The libraries speak of their own insides, and torch advises to run the code of the file.
        fault, remedy = explain(path)
        raise InputError(path, f"cannot be read as weights: it {fault}", remedy) from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InputError(path, "holds no table of named tensors", "give a state dict")
    for prefix in PREFIXES:
        if content and all(key.startswith(prefix) for key in content):
            content = {key.removeprefix(prefix): value for key, value in content.items()}
    return content


def explain(path: Path) -> tuple[str, str]:
    """What a file that cannot be read as weights is, as far as its bytes tell, and what to do about it."""
    if instead := what_it_is_instead(path):
        return instead
    with open(path, "rb") as handle:
        head = handle.read(4)
    if path.suffix == ".safetensors":
        expected, found = safetensors_size(path), path.stat().st_size
        if expected is None:
            return "is no safetensors file, or one cut short in its header", AGAIN
        return ("is cut short" if found < expected else "is damaged") + f": {found:,} of {expected:,} bytes", AGAIN
    if head.startswith(b"PK") and not zipfile.is_zipfile(path):
        return "is cut short: a torch file without its end", AGAIN
    if head.startswith((b"PK", b"\x80")):
        names = names_of_code(path)
        more = (
            f"holds code ({some(names, 3)})" if names else "holds more than tensors, which can be code, or is damaged"
        )
        return f"{more}; none of it was run", "ask its maker for the tensors alone, best as .safetensors"
    return "is neither a safetensors nor a torch file", AGAIN


def safetensors_size(path: Path) -> int | None:
    """The number of bytes that a safetensors file should have by its header; None where the header is not whole."""
    with open(path, "rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if length > path.stat().st_size - 8:
            return None
        try:
            entries = json.loads(handle.read(length))
            return 8 + length + max(entry["data_offsets"][1] for key, entry in entries.items() if key != "__metadata__")
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def names_of_code(path: Path) -> list[str]:
    """The Python names that a torch file would call beyond those of tensors; empty where that cannot be told."""
    import torch

    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # a damaged file fails in any way, and is being explained already
        return []


def tell_keys(keys_by_fault: dict[str, list[str]]) -> str:
    """`2 missing (a, b); 1 unknown (c)`, or "" where nothing is at fault."""
    return "; ".join(
        f"{len(keys)} {fault} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for fault, keys in keys_by_fault.items()
        if keys
    )


def fill(network: torch.nn.Module, state: dict[str, torch.Tensor], spec: EncoderSpec, path: Path) -> None:
    """Put weights into a network that was built on the meta device, and refuse any that do not fit it exactly.

    Raises:
        InputError: naming what is missing, what is too much, and what has another shape.
    """
    state = {key: value for key, value in state.items() if not key.startswith(spec.ignored_keys)}
    own = network.state_dict()
    faults = {
        "missing": [key for key in own if key not in state],
        "unknown": [key for key in state if key not in own],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} for {tuple(value.shape)}"
            for key, value in own.items()
            if key in state and state[key].shape != value.shape
        ],
    }
    if told := tell_keys(faults):
        raise InputError(path, f"not the weights of {spec.name}: {told}", how_to_get(spec))
    network.load_state_dict(state, assign=True)
    # A buffer that is not part of the weights would stay empty, and give wrong vectors in silence.
    empty = [key for key, value in network.named_buffers() if value.is_meta]
    if empty:
        raise RuntimeError(f"{spec.name} computes {', '.join(empty)}: build it on a real device")
