"""A measure of the labelled scans of each scanner, with its mean, worst and range over scanners."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from scangen_bundle.measures.prediction_data import PredictionData, Scans
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.aggregate import OverScanners, Worst

COUNT = "scans"  # the column of ones that every measure has


class PerScanner:
    """A statistic of patients' weights with the keys `<key>/<scanner>`, `/mean`, `/range`, and perhaps more.

    A subclass gives `value`, and `columns` for the sums that it needs. Unlabelled scans do not count.

    Args:
        data: the predictions.

    Attributes:
        key: set by `prediction_measure`.
        worst: which end is bad: "lowest" or "highest" adds the key `/worst`.
        reasons, trials, patients: see `statistics.bootstrap.Statistic`.
        members: scanners that enter each value, by key.
    """

    key: ClassVar[str] = ""
    worst: ClassVar[Worst] = "none"

    def __init__(self, data: PredictionData) -> None:
        self.data = data
        self.reasons: dict[str, str] = {}
        self.trials: dict[str, int] = {}
        self.patients: dict[str, int] = {}
        for classes in data.scans.values():
            for scans in classes:
                data.sums.add(scans.place, COUNT, np.ones(len(scans)), scans.patient)
                for name, values in self.columns(scans).items():
                    data.sums.add(scans.place, name, values, scans.patient)
        observed = self._of_scanners(np.ones((1, data.sums.patients), dtype=np.int32))
        for scanner, classes in data.scans.items():
            key = f"{self.key}/{scanner}"
            self._describe(key, classes, bool(np.isfinite(observed[key][0])))
        self.aggregate = OverScanners(self.key, data.scanners, self.reasons, data.unseen, self.worst)
        self.reasons.update(self.aggregate.reasons)
        self.trials.update(self.aggregate.trials(self.trials))
        self.members = {f"{self.key}/{scanner}": [scanner] for scanner in data.scanners} | self.aggregate.members
        for key, scanners in self.aggregate.members.items():
            everyone = [data.scans[scanner][0].patient for scanner in scanners]
            self.patients[key] = len(np.unique(np.concatenate(everyone))) if everyone else 0

    def columns(self, scans: Scans) -> dict[str, np.ndarray]:
        """Values [n] or [n, K] per scan, by name, whose weighted sums `value` takes; measures share equal names."""
        return {}

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        """The measure [R] of one class on one scanner; NaN where undefined.

        Args:
            scans: at least one.
            sums: `sums[<name>]` is [R], or [K, R], of a name of `columns`; `sums["scans"]` the weight of all scans.
        """
        raise NotImplementedError

    def reason(self, scans: Scans) -> str:
        """Why the value is undefined on the observed data."""
        return scans.missing_class() or "the value is not defined"

    def count_trials(self, scans: Scans) -> int:
        """Independent patients, or pairs of them, behind a value that is a share; 0 for other values."""
        return 0

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Values [R] by key for integer weights [R, P]."""
        values = self._of_scanners(weights)
        return values | self.aggregate(values)

    def _of_scanners(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        block = self.data.sums.block(weights)
        values = {}
        for scanner, classes in self.data.scans.items():
            if not len(classes[0]):
                values[f"{self.key}/{scanner}"] = np.full(len(weights), np.nan)
                continue
            of_classes = [self.value(scans, Sums(block, scans.place)) for scans in classes]
            values[f"{self.key}/{scanner}"] = np.mean(of_classes, axis=0)
        return values

    def _describe(self, key: str, classes: list[Scans], defined: bool) -> None:
        scanner = classes[0].scanner
        self.patients[key] = len(np.unique(classes[0].patient))
        if not len(classes[0]):
            self.reasons[key] = f"no labelled scan on scanner {scanner}"
        elif not defined:
            reasons = [self.reason(scans) for scans in classes]
            self.reasons[key] = f"{next(filter(None, reasons), 'undefined')} on scanner {scanner}"
        else:
            self.trials[key] = min(self.count_trials(scans) for scans in classes)
