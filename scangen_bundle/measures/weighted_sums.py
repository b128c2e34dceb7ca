"""Sums over patients' rows under many weightings at once, named, so that measures share them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar

import numpy as np

from scangen_bundle.statistics.bootstrap import patient_sums, ratio

T = TypeVar("T")


class WeightedSums:
    """Named columns of rows, summed per patient; a block of weights then needs one matrix product for all of them.

    Args:
        patients: P, the number of weights.
    """

    def __init__(self, patients: int) -> None:
        self.patients = patients
        self._columns: dict[tuple[Hashable, str], np.ndarray] = {}
        self._joined: tuple[np.ndarray, dict[tuple[Hashable, str], slice]] | None = None
        self._local = threading.local()

    def add(self, place: Hashable, name: str, values: np.ndarray, patient: np.ndarray) -> None:
        """Add a column, or several under one name.

        Args:
            place: the rows that the values are of.
            name: of the column; measures that use the same name at the same place share it.
            values: [n] or [n, K].
            patient: [n] int64 patient of each row.

        Raises:
            ValueError: the name stands for other values already.
        """
        columns = np.asarray(values, dtype=np.float64)
        columns = columns[:, None] if columns.ndim == 1 else columns
        sums = patient_sums(columns, patient, self.patients).T
        earlier = self._columns.setdefault((place, name), sums)
        if not np.array_equal(earlier, sums, equal_nan=True):
            raise ValueError(f"another measure has a column {name!r} of other values; choose another name")
        self._joined = None

    def block(self, weights: np.ndarray) -> Block:
        """The sums for weights [R, P]; the same object while a thread asks for the same array."""
        current: Block | None = getattr(self._local, "block", None)
        if current is None or current.weights is not weights:
            current = self._local.block = Block(self, weights)
        return current

    def joined(self) -> tuple[np.ndarray, dict[tuple[Hashable, str], slice]]:
        """All columns [K, P] as one matrix, and where each name's are."""
        if self._joined is None:
            places, width = {}, 0
            for key, sums in self._columns.items():
                places[key] = slice(width, width + len(sums))
                width += len(sums)
            self._joined = np.concatenate(list(self._columns.values())), places
        return self._joined

    def columns(self, key: tuple[Hashable, str]) -> np.ndarray:
        """[K, P] of a name."""
        return self._columns[key]


def sample_variance(count: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Variance [R] with ddof = 1 from the number, the sum and the sum of squares of values; NaN with fewer than two."""
    return ratio(squares - ratio(total**2, count), np.maximum(count - 1, 0))


class Block:
    """The sums for one array of weights.

    Args:
        sums: the columns.
        weights: [R, P].
    """

    def __init__(self, sums: WeightedSums, weights: np.ndarray) -> None:
        self.weights, self._sums = weights, sums
        self._totals: tuple[np.ndarray, dict[tuple[Hashable, str], slice]] | None = None
        self._shared: dict[Hashable, object] = {}

    def get(self, place: Hashable, name: str) -> np.ndarray:
        """[K, R] weighted sums of a name's columns."""
        if len(self.weights) == 1:  # the observed data: computed while measures are still being added
            return self._sums.columns((place, name)) @ self.weights.T.astype(np.float64)
        if self._totals is None:
            matrix, places = self._sums.joined()
            self._totals = matrix @ self.weights.T.astype(np.float64), places
        totals, places = self._totals
        return totals[places[place, name]]

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, computed once for these weights."""
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]  # type: ignore[return-value]


class Sums:
    """The weighted sums of one place, by name.

    Attributes:
        weights: [R, P].
    """

    def __init__(self, block: Block, place: Hashable) -> None:
        self.weights, self._block, self._place = block.weights, block, place

    def __getitem__(self, name: str) -> np.ndarray:
        """[R] of a single column, [K, R] of several under one name."""
        totals = self._block.get(self._place, name)
        return totals[0] if len(totals) == 1 else totals

    def shared(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, computed once for these weights and this place, whichever measure asks first."""
        return self._block.shared((self._place, name), make)


class ObservedSums(Sums):
    """The sums of a few columns of the observed data, which no other measure shares.

    Args:
        columns: [n] or [n, K] by name.
    """

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        self.weights, self._columns = np.ones((1, 1), dtype=np.int32), columns

    def __getitem__(self, name: str) -> np.ndarray:
        """[1] of a single column, [K, 1] of several under one name."""
        return np.asarray(self._columns[name], dtype=np.float64).sum(axis=0)[..., None]

    def shared(self, name: str, make: Callable[[], T]) -> T:
        return make()
