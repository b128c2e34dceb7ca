"""A vector per scan in one file: slide embeddings, colours."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scangen_bundle.bags.reading import read_archive
from scangen_bundle.errors import InputError, some
from scangen_bundle.files import write_atomically


def write_vectors(path: str | os.PathLike[str], vectors: Mapping[str, np.ndarray]) -> None:
    """Write vectors [E] by slide id as `.npz` with `slide_id` [n] and `embedding` [n, E], sorted by slide id."""
    slide_ids = sorted(vectors)
    with write_atomically(path) as temporary:
        np.savez(
            temporary, slide_id=np.array(slide_ids, dtype=str), embedding=np.stack([vectors[i] for i in slide_ids])
        )


def read_vectors(path: str | os.PathLike[str], slide_ids: Sequence[str]) -> np.ndarray | None:
    """The vectors [n, E] of these scans in their order; None where there is no such file.

    Raises:
        InputError: the file is damaged or lacks some of the scans.
    """
    if not Path(path).is_file():
        return None
    try:
        content = read_archive(path, ("slide_id", "embedding"))
        vectors = dict(zip(content["slide_id"].tolist(), content["embedding"], strict=True))
    except ValueError as error:  # an InputError too
        raise InputError(path, f"cannot be read ({error})", "evaluate the run again") from error
    if missing := [slide_id for slide_id in slide_ids if slide_id not in vectors]:
        raise InputError(path, f"lacks {len(missing)} scans ({some(missing)})", "evaluate the run again")
    return np.stack([vectors[slide_id] for slide_id in slide_ids])
