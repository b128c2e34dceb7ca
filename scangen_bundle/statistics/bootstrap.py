"""Confidence intervals by resampling patients: all scans of a drawn patient come along, as often as it was drawn.

A resample is a row of integer weights, one per patient, so a statistic computes hundreds of resamples at once. Patients
are drawn within strata (their sets of labels), which keeps the number of patients of each class.

Intervals: percentile and BCa (B. Efron, "Better bootstrap confidence intervals", JASA 82, 1987), the latter with the
acceleration of a stratified sample (A. Davison, D. Hinkley, Bootstrap Methods and their Application, 1997, section 5.3).
Where every resample gives the same figure both would have no width; a share at 0 or 1 then has an exact interval
(`statistics/exact.py`), any other figure has none. Tables and reports show the percentile interval: it exists wherever the
figure varies, and the p-values of comparisons invert it, so that both say the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

import numpy as np
from scipy.special import ndtr, ndtri
from tqdm import tqdm

from scangen_bundle.statistics.exact import EXACT, exact_interval

JACKKNIFE_GROUPS = 400  # acceleration is then good to about 0.65 / 400, far below what the end points show
BLOCK_ELEMENTS = 1_500_000  # weights of a block: its temporaries stay near the cache
BAR_AFTER = 5  # seconds: work that is done before has no progress bar
LEAST_DEFINED = 0.95  # an interval needs this share of resamples in which the figure is defined
ROUNDING = 1e-12  # figures that differ by less are the same
SAME = "it is the same in every resample"


class Statistic(Protocol):
    """Figures as a function of the patients' weights.

    A statistic may also have the attribute `trials`: by key of a figure that is a share of independent patients (or of pairs
    of them), how many there are. It gives the figure an interval at 0 and at 1.

    Attributes:
        reasons: why a figure is undefined on the observed data, by key.
    """

    reasons: dict[str, str]

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Figures [R] by key for integer weights [R, P]; NaN where undefined."""
        ...


@dataclass(frozen=True)
class Interval:
    """A confidence interval, NaN with a reason where it is undefined.

    Attributes:
        low, high: percentile interval.
        bca_low, bca_high: bias-corrected and accelerated interval.
        defined: share of the resamples in which the figure is defined; the interval is of these.
        reason: why there is no interval, "" where there is one.
        bca_reason: why there is no BCa interval, "" where there is one.
        method: "bootstrap" or "exact" (then both intervals are that one), "" where there is none.
    """

    low: float
    high: float
    bca_low: float
    bca_high: float
    defined: float
    reason: str = ""
    bca_reason: str = ""
    method: str = ""


@dataclass(frozen=True)
class Resampled:
    """A statistic on the observed data, on bootstrap resamples and with groups of patients left out.

    Attributes:
        observed: value by key.
        samples: [R] by key.
        jackknife: [G] by key.
        groups: [G] stratum of each group that was left out.
        reasons: why an observed value is NaN, by key.
        trials: independent trials of figures that are shares, by key.
    """

    observed: dict[str, float]
    samples: dict[str, np.ndarray]
    jackknife: dict[str, np.ndarray]
    groups: np.ndarray
    reasons: dict[str, str] = field(default_factory=dict)
    trials: dict[str, int] = field(default_factory=dict)

    def interval(self, key: str, confidence: float = 0.95) -> Interval:
        return interval(
            self.observed[key],
            self.samples[key],
            self.jackknife[key],
            self.groups,
            confidence,
            self.trials.get(key, 0),
        )


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
            wanted = max(2, round(JACKKNIFE_GROUPS * len(members) / self.patients))
            groups = min(len(members), wanted)
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
        blocks = self.blocks(int(np.clip(BLOCK_ELEMENTS // max(scans, self.patients), 1, 256)))
        parts: list[dict[str, np.ndarray]] = []
        total = 1 + self.resamples + len(self.groups)
        with (
            ThreadPoolExecutor(threads) as pool,
            tqdm(total=total, desc="resampling patients", unit="resample", delay=BAR_AFTER, leave=False) as bar,
        ):
            while some := list(islice(blocks, threads)):
                parts.extend(pool.map(lambda block: _all(statistics, block), some))
                bar.update(sum(map(len, some)))
        values = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        reasons = {key: reason for statistic in statistics for key, reason in statistic.reasons.items()}
        last = 1 + self.resamples
        return Resampled(
            observed={key: float(value[0]) for key, value in values.items()},
            samples={key: value[1:last] for key, value in values.items()},
            jackknife={key: value[last:] for key, value in values.items()},
            groups=self.groups,
            reasons=reasons,
            trials={key: n for statistic in statistics for key, n in getattr(statistic, "trials", {}).items()},
        )


def _all(statistics: Sequence[Statistic], weights: np.ndarray) -> dict[str, np.ndarray]:
    figures: dict[str, np.ndarray] = {}
    for statistic in statistics:
        figures.update(statistic(weights))
    return figures


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


def percentile_interval(samples: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap values [R]."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def acceleration(jackknife: np.ndarray, strata: np.ndarray) -> float:
    """BCa's acceleration from leave-out values [G] with their strata [G]; NaN where nothing varies."""
    cubes = squares = 0.0
    for stratum in np.unique(strata):
        values = jackknife[strata == stratum]
        if len(values) > 1:
            influence = (len(values) - 1) * (values.mean() - values) / len(values)
            cubes += float((influence**3).sum())
            squares += float((influence**2).sum())
    return cubes / (6 * squares**1.5) if squares > 0 else float("nan")


def bca_interval(
    observed: float, samples: np.ndarray, jackknife: np.ndarray, strata: np.ndarray, confidence: float = 0.95
) -> tuple[float, float]:
    """BCa interval of bootstrap values [R]; NaN where all resamples lie on one side of the observed value."""
    below = ((samples < observed).mean() + (samples <= observed).mean()) / 2
    accelerated = acceleration(jackknife, strata)
    if not 0 < below < 1 or not np.isfinite(accelerated):
        return float("nan"), float("nan")
    bias, normal = ndtri(below), ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    low, high = ndtr(bias + (bias + normal) / (1 - accelerated * (bias + normal)))
    return float(np.quantile(samples, low)), float(np.quantile(samples, high))


def interval(
    observed: float,
    samples: np.ndarray,
    jackknife: np.ndarray,
    strata: np.ndarray,
    confidence: float = 0.95,
    trials: int = 0,
) -> Interval:
    """Both intervals of a figure, over the resamples in which it is defined.

    Args:
        observed: the figure.
        samples: [R] of the resamples.
        jackknife, strata: [G] with groups left out, and the stratum of each.
        confidence: of the interval.
        trials: independent trials of a figure that is a share, for its interval at 0 and 1; 0 for other figures.
    """
    if not np.isfinite(observed):
        return _no_interval("the figure itself is undefined")
    if not len(samples):
        return _no_interval("no resamples were asked for")
    kept = samples[np.isfinite(samples)]
    defined = len(kept) / len(samples)
    if defined < LEAST_DEFINED:
        return _no_interval(f"undefined in {1 - defined:.0%} of the resamples: too few patients", defined)
    if not varies(kept):
        if trials and observed in (0.0, 1.0):
            exact = exact_interval(observed, trials, confidence)
            return Interval(*exact, *exact, defined, method=EXACT)
        return _no_interval(SAME, defined)
    low, high = percentile_interval(kept, confidence)
    known = np.isfinite(jackknife)
    bca = bca_interval(observed, kept, jackknife[known], strata[known], confidence)
    if np.isfinite(bca[0]):
        return Interval(low, high, *bca, defined, method="bootstrap")
    reason = "all resamples lie on one side of the observed value, or no patient left out changes it"
    return Interval(low, high, *bca, defined, bca_reason=reason, method="bootstrap")


def varies(samples: np.ndarray) -> bool:
    """Whether resampled figures [R], NaN left out, differ by more than rounding."""
    known = samples[np.isfinite(samples)]
    return len(known) > 0 and float(np.ptp(known)) > ROUNDING


def _no_interval(reason: str, defined: float = float("nan")) -> Interval:
    nan = float("nan")
    return Interval(nan, nan, nan, nan, defined, reason, reason)
