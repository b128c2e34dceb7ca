"""What a file is that holds no plain tensor, told without running anything that it carries."""

from __future__ import annotations

import pickle
import shlex
import zipfile
from pathlib import Path
from typing import Any

from scangen_bundle.bags.reading import REMEDY
from scangen_bundle.errors import InputError, some
from scangen_bundle.not_data import what_it_is_instead

ZIP_MAGIC = b"PK\x03\x04"  # torch.save since 1.6
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C.to_bytes(
    10, "little"
)  # before: the first of four pickles, see torch.serialization
PICKLE_MAGIC = b"\x80"

ARRAYS = {
    ("numpy", "_reconstruct"): "NumPy array",
    ("numpy", "_frombuffer"): "NumPy array",
    ("torch", "_rebuild_tensor_v2"): "tensor",
    ("torch", "_rebuild_parameter"): "tensor",
}
SAVE_ALONE = "save the features alone, as one tensor: torch.save(features, path)"
CONVERT = 'python -c "import pickle, sys, torch; p = sys.argv[1]; torch.save(torch.as_tensor({load}), p)" {path}'


def is_torch_file(path: Path) -> bool:
    """Whether torch.save wrote this file, of whatever."""
    head = _head(path)
    return head.startswith(ZIP_MAGIC) or LEGACY_MAGIC in head


def refusal(path: Path) -> InputError:
    """Why a file is refused that torch cannot load as a plain tensor: what it is, and how to make a tensor of it."""
    if found := what_it_is_instead(path):
        return InputError(path, *found)
    if not (is_torch_file(path) or _head(path).startswith(PICKLE_MAGIC)):
        return InputError(path, "is not a file of torch.save", "give the slide's feature file")
    held = _held(path)
    if held is None:
        return InputError(path, "it holds a pickle that is damaged", REMEDY)
    problem = (
        f"it holds a pickle of {described(held)}, expected one tensor [N, D]; loading a pickle can run any program"
    )
    if not (isinstance(held, StandIn) and held.array):
        return InputError(path, problem, f"if you trust where it came from, load it and {SAVE_ALONE}")
    load = "torch.load(p, weights_only=False)" if is_torch_file(path) else "pickle.load(open(p, 'rb'))"
    command = CONVERT.format(load=load, path=shlex.quote(str(path)))
    return InputError(path, problem, f"if you trust where it came from, convert it once: {command}")


def described(held: Any) -> str:
    """An object of a file, in a few words."""
    if isinstance(held, dict):
        return f"a dictionary of {some([repr(key) for key in held]) or 'nothing'}"
    if isinstance(held, StandIn):
        return f"a {held.array or f'{type(held).__module__}.{type(held).__name__}'}"
    return f"a {type(held).__name__}"


class StandIn:
    """Stands for an object in a pickle that is not made: it takes what a pickle does to an object, and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> StandIn:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __call__(self, *args: Any, **kwargs: Any) -> StandIn:
        return self

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, item: Any) -> None: ...

    def extend(self, items: Any) -> None: ...

    @property
    def array(self) -> str:
        """Which kind of array it stands for, by the function that pickles of one call; "" if for something else."""
        return ARRAYS.get((type(self).__module__.partition(".")[0], type(self).__name__), "")


class _StandInUnpickler(pickle.Unpickler):
    """Loads a pickle with stand-ins for every class and function that it names, so that none is imported or called."""

    def find_class(self, module: str, name: str) -> type[StandIn]:
        return type(name, (StandIn,), {"__module__": module})

    def persistent_load(self, pid: Any) -> None:
        """The numbers of a tensor, which lie outside the pickle."""


def _held(path: Path) -> Any:
    """The object in a file of torch.save or a pickle, with stand-ins; None where that fails."""
    try:
        if _head(path).startswith(ZIP_MAGIC):
            with zipfile.ZipFile(path) as archive:
                name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
                with archive.open(name) as file:
                    return _StandInUnpickler(file).load()
        with open(path, "rb") as file:
            for _ in range(3 if is_torch_file(path) else 0):  # magic number, version and machine
                _StandInUnpickler(file).load()
            return _StandInUnpickler(file).load()
    except Exception:  # bytes that make no sense to a pickle fail in any way there is
        return None


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(32)
