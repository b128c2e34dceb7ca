"""Resampling patients: all scans of a drawn patient count as often as the patient was drawn.

A resample is a row of integer weights, one per patient, so a statistic computes hundreds of resamples at once. Patients
are drawn within strata (their sets of labels), which keeps the number of patients of each class. `statistics/interval.py`
turns the resampled values into intervals.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from scangen_bundle.statistics.estimate import NAN, Estimate
from scangen_bundle.statistics.interval import interval

JACKKNIFE_GROUPS = 400  # acceleration is then good to about 0.65 / 400, far below what the end points show
BLOCK_ELEMENTS = 1_500_000  # weights of a block: its temporaries stay near the cache
BAR_AFTER = 5  # seconds: shorter work has no progress bar


class Statistic(Protocol):
    """Values as a function of the patients' weights.

    A statistic may also have these attributes, each a mapping by key:

    - `trials`: number of independent patients (or pairs of them) behind a value that is a share; it gives the value an
      interval at 0 and at 1.
    - `patients`: number of patients behind a value, where that is not all of them.
    - `without_interval`: why a value must not have an interval.

    Attributes:
        reasons: why a value is undefined on the observed data, by key.
    """

    reasons: dict[str, str]

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Values [R] by key for integer weights [R, P]; NaN where undefined."""
        ...


@dataclass(frozen=True)
class Resampled:
    """A statistic on the observed data, on bootstrap resamples and with groups of patients left out.

    Attributes:
        observed: value by key.
        samples: [R] by key.
        jackknife: [G] by key.
        groups: [G] stratum of each group that was left out.
        reasons: why an observed value is NaN, by key.
        trials, patients, without_interval: see `Statistic`, by key.
        all_patients: number of patients that were resampled.
    """

    observed: dict[str, float]
    samples: dict[str, np.ndarray]
    jackknife: dict[str, np.ndarray]
    groups: np.ndarray
    reasons: dict[str, str] = field(default_factory=dict)
    trials: dict[str, int] = field(default_factory=dict)
    patients: dict[str, int] = field(default_factory=dict)
    without_interval: dict[str, str] = field(default_factory=dict)
    all_patients: int = 0

    def estimate(
        self,
        key: str,
        confidence: float = 0.95,
        *,
        baseline: float = NAN,
        scanners: Sequence[str] = (),
        note: str = "",
    ) -> Estimate:
        """The observed value with its interval, and the reasons where one of them is undefined."""
        observed = self.observed[key]
        patients = self.patients.get(key, self.all_patients)
        if key in self.without_interval and np.isfinite(observed):
            estimate = Estimate(observed, patients=patients, interval_reason=self.without_interval[key])
        else:
            trials = self.trials.get(key, 0)
            estimate = interval(
                observed, self.samples[key], self.jackknife[key], self.groups, confidence, trials, patients
            )
        reason = "" if np.isfinite(observed) else self.reasons.get(key, "undefined on these data")
        return replace(estimate, baseline=baseline, scanners=tuple(scanners), note=note, reason=reason)


class PatientBootstrap:
    """Integer weights of the patients for bootstrap and jackknife.

    Args:
        strata: [P] int64 stratum of each patient.
        resamples: number of bootstrap resamples.
        seed: of the draws; they do not depend on the size of the blocks.
        jackknife: also leave out patients, for BCa: one at a time, or in `JACKKNIFE_GROUPS` groups of near-equal size within
            the strata where there are more. A group's influence is the sum of its patients', and both sums of the
            acceleration keep their expected value under such grouping.
    """

    def __init__(self, strata: np.ndarray, resamples: int, seed: int = 0, jackknife: bool = True) -> None:
        if len(strata) == 0:
            raise ValueError("there are no patients to resample")
        if resamples < 0:
            raise ValueError(f"expected resamples >= 0, got {resamples}")
        self.resamples, self.seed = resamples, seed
        self._members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
        self.patients = len(strata)
        self._group = np.zeros(self.patients, dtype=np.int64)
        self.groups = np.zeros(0, dtype=np.int64)
        if jackknife and resamples:
            self._assign_groups()

    def _assign_groups(self) -> None:
        sizes, count = [], 0
        for members in self._members:
            share = round(JACKKNIFE_GROUPS * len(members) / self.patients)
            groups = min(len(members), max(2, share))
            self._group[members] = count + np.arange(len(members)) % groups
            sizes.append(groups)
            count += groups
        self.groups = np.repeat(np.arange(len(sizes)), sizes)

    def rows(self) -> Iterator[np.ndarray]:
        """Weights [P] int32: the observed data, then the resamples, then the jackknife."""
        yield np.ones(self.patients, dtype=np.int32)
        generator = np.random.default_rng(self.seed)
        for _ in range(self.resamples):
            weights = np.zeros(self.patients, dtype=np.int32)
            for members in self._members:
                drawn = generator.integers(len(members), size=len(members))
                weights[members] = np.bincount(drawn, minlength=len(members))
            yield weights
        for group in range(len(self.groups)):
            yield (self._group != group).astype(np.int32)

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """The same weights as blocks [at most `rows`, P]."""
        source = self.rows()
        while block := list(islice(source, rows)):
            yield np.stack(block)

    def run(self, statistics: Sequence[Statistic], scans: int, threads: int | None = None) -> Resampled:
        """Compute statistics on the observed data and on all resamples.

        Args:
            statistics: their keys must differ.
            scans: rows of the longest table that a statistic gathers weights for; sets the size of the blocks.
            threads: blocks computed at once; None: the processors that this process may use, at most 4.
        """
        threads = threads or min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
        rows = int(np.clip(BLOCK_ELEMENTS // max(scans, self.patients), 1, 256))
        blocks = self.blocks(rows)
        results: list[dict[str, np.ndarray]] = []
        total = 1 + self.resamples + len(self.groups)
        with (
            ThreadPoolExecutor(threads) as pool,
            tqdm(total=total, desc="resampling patients", unit="resample", delay=BAR_AFTER, leave=False) as bar,
        ):
            while batch := list(islice(blocks, threads)):
                results.extend(pool.map(lambda block: _all(statistics, block), batch))
                bar.update(sum(map(len, batch)))
        observed, samples, jackknife = {}, {}, {}
        for key in results[0]:
            values = np.concatenate([result[key] for result in results])
            observed[key] = float(values[0])
            samples[key], jackknife[key] = np.split(values[1:], [self.resamples])
        return Resampled(
            observed=observed,
            samples=samples,
            jackknife=jackknife,
            groups=self.groups,
            reasons=merged(statistics, "reasons"),
            trials=merged(statistics, "trials"),
            patients=merged(statistics, "patients"),
            without_interval=merged(statistics, "without_interval"),
            all_patients=self.patients,
        )


def merged(statistics: Sequence[Statistic], name: str) -> dict[str, Any]:
    """One mapping by key from the statistics' attributes called `name`."""
    mapping: dict[str, Any] = {}
    for statistic in statistics:
        mapping.update(getattr(statistic, name, {}))
    return mapping


def _all(statistics: Sequence[Statistic], weights: np.ndarray) -> dict[str, np.ndarray]:
    values: dict[str, np.ndarray] = {}
    for statistic in statistics:
        values.update(statistic(weights))
    return values


def patient_sums(values: np.ndarray, patient: np.ndarray, patients: int) -> np.ndarray:
    """Sums of `values` [n, K] over the rows of each patient: [P, K]. `weights @ sums` is then the weighted sum."""
    sums = np.empty((patients, values.shape[1]))
    for column in range(values.shape[1]):
        sums[:, column] = np.bincount(patient, weights=values[:, column], minlength=patients)
    return sums


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """numerator / denominator, NaN where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator != 0)
