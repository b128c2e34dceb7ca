"""Files of tiles under virtual scanners: `<features_dir>/virtual/<slide_id>.npz`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scangen_bundle.bags.reading import read_archive
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically

BANK_FOLDER = "virtual"


def bank_path(features_dir: Path, slide_id: str) -> Path:
    """Where a slide's tiles under virtual scanners are, beside its bag."""
    return features_dir / BANK_FOLDER / f"{slide_id}.npz"


def write_bank(path: Path, plain: np.ndarray, virtual: np.ndarray, settings: Mapping[str, Any]) -> None:
    """Write a slide's tiles whole or not at all.

    Args:
        path: the .npz file.
        plain: [m, D] features of tiles as they are.
        virtual: [K, m, D] features of the same tiles under K virtual scanners.
        settings: what they were made with.

    Raises:
        InputError: a number is not finite in float16.
    """
    with np.errstate(over="ignore"):
        small_plain, small_virtual = plain.astype(np.float16), virtual.astype(np.float16)
    if not np.isfinite(small_plain).all() or not np.isfinite(small_virtual).all():
        raise InputError(path, "features are too large for float16", "use an encoder whose features are smaller")
    with write_atomically(path) as temporary, open(temporary, "wb") as file:
        described = np.array(json.dumps(dict(settings), sort_keys=True))
        np.savez(file, settings=described, plain=small_plain, virtual=small_virtual)


def read_bank(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [m, D] and [K, m, D] of a slide's tiles.

    Raises:
        InputError: the file is damaged.
    """
    try:
        content = read_archive(path, ("plain", "virtual"))
    except InputError as error:
        raise InputError(path, error.problem, "remove it and run banking again") from error
    plain, virtual = content["plain"].astype(np.float32), content["virtual"].astype(np.float32)
    if plain.ndim != 2 or virtual.shape[1:] != plain.shape:
        problem = f"holds arrays {list(plain.shape)} and {list(virtual.shape)}, expected [m, D] and [K, m, D]"
        raise InputError(path, problem, "remove it and run banking again")
    return plain, virtual


def bank_settings(path: Path) -> dict[str, Any] | None:
    """What a file was made with; None if it is not there or cannot be read."""
    try:
        return dict(json.loads(str(read_archive(path, ("settings",))["settings"])))
    except ValueError:  # an InputError too
        return None
