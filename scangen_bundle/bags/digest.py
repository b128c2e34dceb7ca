"""Digests of a bag, so that damage to a stored number is noticed: one of what it says, one of its rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

DIGEST_BYTES = 16
HEADER_DIGEST = "header_digest"  # of all other attributes; checked whenever a bag is opened
ROWS_DIGEST = "digest"  # of coordinates and features; checked where all of them are read


def header_digest(attributes: Mapping[str, Any]) -> str:
    """Digest of a bag's attributes, in Python's own types, without the digest itself."""
    stated = {name: value for name, value in attributes.items() if name != HEADER_DIGEST}
    return hashlib.blake2b(json.dumps(stated, sort_keys=True).encode(), digest_size=DIGEST_BYTES).hexdigest()


class RowsDigest:
    """Digest of coordinates and of features that come in pieces.

    Args:
        coords: whole numbers [N, 2].
    """

    def __init__(self, coords: np.ndarray) -> None:
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._update(coords.astype("<i8"))

    def update(self, features: np.ndarray) -> None:
        """Take the next rows [n, D], in the bag's precision."""
        self._update(features.astype(features.dtype.newbyteorder("<"), copy=False))

    def _update(self, array: np.ndarray) -> None:
        self._hash.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    def hexdigest(self) -> str:
        """The digest until now."""
        return self._hash.hexdigest()
