"""A measure of each pair of scanners, over the specimens that both have.

The number of pairs grows with the square of the number of scanners. Of more than `MOST_PAIRS` pairs, the `WORST_PAIRS` whose
scores differ most have values of their own; aggregates are of all pairs of the observed data, then without an interval.
"""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np

from scangen_bundle.measures.prediction_data import Pair, PredictionData
from scangen_bundle.measures.predictions import BETWEEN
from scangen_bundle.measures.weighted_sums import ObservedSums, Sums
from scangen_bundle.statistics.aggregate import OverScanners, Worst

COUNT = "pairs"  # the column of ones that every measure has


def pair_name(first: str, second: str) -> str:
    """How a pair of scanners is written in keys."""
    return f"{first}{BETWEEN}{second}"


class PerPair:
    """A statistic of patients' weights with the keys `<key>/<a> vs <b>`, and perhaps `/mean`, `/worst`, `/range`.

    A subclass gives `value`, and `columns` for the sums that it needs. Labels play no part.

    Args:
        data: the predictions.
        key: of the measure; "": the one set by `prediction_measure`.

    Attributes:
        of_classes: whether it is of the predicted classes; otherwise it is of the scores, the mean over the scored classes.
        worst: which end is bad; "lowest" or "highest" adds the aggregates over pairs.
        reasons, trials, patients, members: as of `PerScanner`.
        without_interval: why an aggregate has no interval, by key.
    """

    key: ClassVar[str] = ""
    of_classes: ClassVar[bool] = False
    worst: ClassVar[Worst] = "none"

    def __init__(self, data: PredictionData, key: str = "") -> None:
        self.data, self.name = data, key or self.key
        self.reasons: dict[str, str] = {}
        self.trials: dict[str, int] = {}
        self.patients: dict[str, int] = {}
        self.members: dict[str, list[str]] = {}
        self.without_interval: dict[str, str] = {}
        for pairs in data.pairs.values():
            for pair in self._scored(pairs):
                for name, values in self._columns_of(pair).items():
                    data.sums.add(pair.place, name, values, pair.patient)
        observed = self._of_pairs(np.ones((1, data.sums.patients), dtype=np.int32))
        for (first, second), pairs in data.pairs.items():
            self._describe(f"{self.name}/{pair_name(first, second)}", pairs[0], observed)
        self.aggregate = self._make_aggregate()

    def columns(self, pair: Pair) -> dict[str, np.ndarray]:
        """Values [n] or [n, K] per specimen, by name, whose weighted sums `value` takes; measures share equal names."""
        return {}

    def value(self, pair: Pair, sums: Sums) -> np.ndarray:
        """The measure [R]; NaN where undefined. `sums["pairs"]` is the weight of all specimens."""
        raise NotImplementedError

    def reason(self) -> str:
        """Why the value is undefined on the observed data, though there are specimens."""
        return "the scores do not vary"

    def is_share(self) -> bool:
        """Whether the value is a share of specimens, which gives it an interval at 0 and 1."""
        return False

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Values [R] by key for integer weights [R, P]."""
        values = self._of_pairs(weights)
        if self._sampled:
            for key, value in self._over_all_pairs.items():
                values[key] = np.full(len(weights), value)
        elif self.aggregate:
            values.update(self.aggregate(values))
        return values

    @property
    def _sampled(self) -> bool:
        """Whether only some pairs have values of their own."""
        return self.worst != "none" and len(self.data.pairs) < self.data.pair_count

    def _scored(self, pairs: list[Pair]) -> list[Pair]:
        return pairs[:1] if self.of_classes else pairs

    def _columns_of(self, pair: Pair) -> dict[str, np.ndarray]:
        return {COUNT: np.ones(len(pair.x)), **self.columns(pair)}

    def _of_pairs(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        block = self.data.sums.block(weights)
        values = {}
        for (first, second), pairs in self.data.pairs.items():
            of_classes = [self.value(pair, Sums(block, pair.place)) for pair in self._scored(pairs)]
            values[f"{self.name}/{pair_name(first, second)}"] = np.mean(of_classes, axis=0)
        return values

    def _describe(self, key: str, pair: Pair, observed: dict[str, np.ndarray]) -> None:
        self.members[key] = [pair.first, pair.second]
        self.patients[key] = len(np.unique(pair.patient))
        if np.isfinite(observed[key][0]):
            if self.is_share():
                self.trials[key] = self.patients[key]
        elif len(pair.x) < 2:
            self.reasons[key] = f"{len(pair.x)} specimens were scanned on both {pair.first} and {pair.second}"
        else:
            self.reasons[key] = self.reason()

    def _make_aggregate(self) -> OverScanners | None:
        if self.worst == "none" or not self.data.pairs:
            return None
        if self._sampled:
            shown, every = len(self.data.pairs), self.data.pair_count
            why = f"only the {shown} pairs that differ most are resampled, of {every:,}"
            for key, value in self._over_all_pairs.items():
                self.without_interval[key] = why
                self.members[key] = list(self.data.scanners)
                if not np.isfinite(value):
                    self.reasons[key] = "defined on no pair of scanners"
            return None
        names = [pair_name(*pair) for pair in self.data.pairs]
        aggregate = OverScanners(self.name, names, self.reasons, worst=self.worst)
        self.reasons.update(aggregate.reasons)
        for key, pairs in aggregate.members.items():
            self.members[key] = sorted({scanner for pair in pairs for scanner in pair.split(BETWEEN)})
        return aggregate

    @cached_property
    def _over_all_pairs(self) -> dict[str, float]:
        """The aggregates over every pair where it is defined, of the observed data."""
        values = []
        for pairs in self.data.every_pair:
            of_classes = [self.value(pair, ObservedSums(self._columns_of(pair)))[0] for pair in self._scored(pairs)]
            values.append(sum(of_classes) / len(of_classes))
        defined = np.array(values)[np.isfinite(values)]
        aggregates = dict.fromkeys(("mean", "range", "worst"), float("nan"))
        if len(defined):
            worst = defined.min() if self.worst == "lowest" else defined.max()
            aggregates = {"mean": defined.mean(), "range": np.ptp(defined), "worst": worst}
        return {f"{self.name}/{scope}": float(value) for scope, value in aggregates.items()}
