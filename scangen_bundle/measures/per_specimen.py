"""A measure of specimens over their scanners: do the scans of one specimen agree?"""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar, Literal

import numpy as np

from scangen_bundle.measures.per_pair import PerPair
from scangen_bundle.measures.prediction_data import PredictionData, Specimens
from scangen_bundle.measures.weighted_sums import Sums

COUNT = "specimens"  # the column of ones that every measure has


class PerSpecimen:
    """A statistic of patients' weights with the key `<key>`, and those of pairs of scanners where `of_pairs` is set.

    A subclass gives `value`, and `columns` for the sums that it needs. Labels play no part: unlabelled scans count.

    Args:
        data: the predictions.

    Attributes:
        key: set by `prediction_measure`.
        among: the specimens that enter: those on "several" scanners, or the "complete" ones, which every scanner has.
        of_classes: whether it is of the predicted classes; otherwise it is of the scores, the mean over the scored classes.
        of_pairs: the same measure of each pair of scanners.
        reasons, trials, patients, members: as of `PerScanner`.
    """

    key: ClassVar[str] = ""
    among: ClassVar[Literal["several", "complete"]] = "several"
    of_classes: ClassVar[bool] = False
    of_pairs: ClassVar[type[PerPair] | None] = None

    def __init__(self, data: PredictionData) -> None:
        self.data = data
        self._tables = data.specimens[:1] if self.of_classes else data.specimens
        self.reasons: dict[str, str] = {}
        self.trials: dict[str, int] = {}
        self.patients: dict[str, int] = {}
        self.members = {self.key: list(data.scanners)}
        self.without_interval: dict[str, str] = {}
        for specimens in self._tables:
            rows = np.flatnonzero(getattr(specimens, self.among))
            place, patient = self._place(specimens), specimens.patient[rows]
            data.sums.add(place, COUNT, np.ones(len(rows)), patient)
            for name, values in self.columns(specimens).items():
                data.sums.add(place, name, np.asarray(values)[rows], patient)
        specimens = self._tables[0]
        self.patients[self.key] = len(np.unique(specimens.patient[getattr(specimens, self.among)]))
        observed = self._overall(np.ones((1, data.sums.patients), dtype=np.int32))
        if not np.isfinite(observed[0]):
            self.reasons[self.key] = self._few() or self.reason()
        elif self.is_share():
            self.trials[self.key] = self.patients[self.key]
        self.pairs = self._make_pairs()

    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        """Values [M] or [M, K] per specimen, by name, whose weighted sums `value` takes; measures share equal names.

        Only the rows of the specimens that enter are used.
        """
        return {}

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        """The measure [R]; NaN where undefined. `sums["specimens"]` is the weight of all specimens that enter."""
        raise NotImplementedError

    def reason(self) -> str:
        """Why the value is undefined on the observed data, though there are specimens."""
        return "the scores do not vary"

    def is_share(self) -> bool:
        """Whether the value is a share of specimens, which gives it an interval at 0 and 1."""
        return False

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Values [R] by key for integer weights [R, P]."""
        values = {self.key: self._overall(weights)}
        if self.pairs:
            values.update(self.pairs(weights))
        return values

    def _overall(self, weights: np.ndarray) -> np.ndarray:
        block = self.data.sums.block(weights)
        values = [self.value(specimens, Sums(block, self._place(specimens))) for specimens in self._tables]
        return np.mean(values, axis=0)

    def _place(self, specimens: Specimens) -> Hashable:
        return self.among, specimens.index

    def _few(self) -> str:
        """Why there are too few specimens; "" where there are enough."""
        specimens = self._tables[0]
        if self.among == "several":
            return "" if specimens.several.any() else "no specimen was scanned on two scanners"
        if len(self.data.scanners) == 1:
            return "there is one scanner only"
        complete = int(specimens.complete.sum())
        return "" if complete >= 2 else f"{complete} specimens were scanned on every scanner"

    def _make_pairs(self) -> PerPair | None:
        if self.of_pairs is None:
            return None
        pairs = self.of_pairs(self.data, self.key)
        self.reasons.update(pairs.reasons)
        self.trials.update(pairs.trials)
        self.patients.update(pairs.patients)
        self.members.update(pairs.members)
        self.without_interval.update(pairs.without_interval)
        return pairs
