"""Files of weights: damage and numbers that are not finite are found before they are used."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from typing import Any

from scangen_bundle.errors import InputError, some

AGAIN = "copy it again from where it was made"


def check_undamaged(path: str | os.PathLike[str]) -> None:
    """Check the CRC-32 that torch writes for each record of a `.pt` or `.ts` file, and does not look at when it reads.

    Files of another layout pass, since they have no checksums.

    Raises:
        InputError: a record is damaged, or the file is cut short.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise InputError(path, f"is damaged ({error})", AGAIN) from error
    if damaged is not None:
        raise InputError(path, f"is damaged: {damaged} is not what was written", AGAIN)


def check_finite_weights(path: object, weights: Mapping[str, Any]) -> None:
    """Refuse weights that are not finite: they would give empty probabilities.

    Args:
        path: of their file, for the message.
        weights: tensors by name.

    Raises:
        InputError: it names them.
    """
    broken = [
        name for name, value in weights.items() if getattr(value, "is_floating_point", bool)() and not _is_finite(value)
    ]
    if broken:
        problem = f"{len(broken)} of {len(weights)} weights are not finite: {some(broken)}"
        raise InputError(path, problem, "train again; a lower --learning_rate helps where the loss grew without bound")


def _is_finite(value: Any) -> bool:
    try:
        return bool(value.isfinite().all())
    except NotImplementedError:  # torch has no test for numbers of 8 bits
        return bool(value.float().isfinite().all())
