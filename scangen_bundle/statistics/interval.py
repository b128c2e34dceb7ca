"""Confidence intervals from resampled values.

Percentile and BCa intervals (B. Efron, "Better bootstrap confidence intervals", JASA 82, 1987), the latter with the
acceleration of a stratified sample (A. Davison, D. Hinkley, Bootstrap Methods and their Application, 1997, section 5.3).

Which one is shown depends on the number of patients. With fewer than `FEW_PATIENTS` it is the BCa interval: at 20 patients
"95 %" percentile intervals covered the truth in 88 to 93 % of simulated cohorts, BCa intervals in 92 to 96 %. With more
patients it is the percentile interval: it exists wherever the value varies, and the p-values of comparisons invert it.

Where every resample gives the same value, neither has a width. A share at 0 or 1 then has an exact interval
(`statistics/exact.py`); any other value has none.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import ndtr, ndtri

from scangen_bundle.statistics.estimate import NAN, Estimate
from scangen_bundle.statistics.exact import EXACT, exact_interval

PERCENTILE, BCA = "percentile", "BCa"
FEW_PATIENTS = 50
LEAST_DEFINED = 0.95  # an interval needs this share of resamples in which the value is defined
ROUNDING = 1e-12  # values that differ by less are the same
SAME = "it is the same in every resample"
ONE_SIDED = "no BCa interval: all resamples lie on one side of the value, or no patient left out changes it"


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
    return cubes / (6 * squares**1.5) if squares > 0 else NAN


def bca_interval(
    observed: float, samples: np.ndarray, jackknife: np.ndarray, strata: np.ndarray, confidence: float = 0.95
) -> tuple[float, float]:
    """BCa interval of bootstrap values [R]; NaN where all resamples lie on one side of the observed value."""
    below = ((samples < observed).mean() + (samples <= observed).mean()) / 2
    accelerated = acceleration(jackknife, strata)
    if not 0 < below < 1 or not np.isfinite(accelerated):
        return NAN, NAN
    bias = ndtri(below)
    shifted = bias + ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    low, high = ndtr(bias + shifted / (1 - accelerated * shifted))
    return float(np.quantile(samples, low)), float(np.quantile(samples, high))


def interval(
    observed: float,
    samples: np.ndarray,
    jackknife: np.ndarray,
    strata: np.ndarray,
    confidence: float = 0.95,
    trials: int = 0,
    patients: int = 0,
) -> Estimate:
    """The value with both intervals, over the resamples in which it is defined.

    Args:
        observed: the value.
        samples: [R] of the resamples.
        jackknife, strata: [G] with groups left out, and the stratum of each; empty: no BCa interval is asked for.
        confidence: of the interval.
        trials: independent trials of a value that is a share, for its interval at 0 and 1; 0 for other values.
        patients: number of patients behind the value, which decides the interval that is shown; 0: not counted.
    """
    if not np.isfinite(observed):
        return Estimate(patients=patients, interval_reason="the value itself is undefined")
    if not len(samples):
        return Estimate(observed, patients=patients, interval_reason="no resamples were asked for")
    kept = samples[np.isfinite(samples)]
    defined = len(kept) / len(samples)
    if defined < LEAST_DEFINED:
        reason = f"undefined in {1 - defined:.0%} of the resamples: too few patients"
        return Estimate(observed, defined=defined, patients=patients, interval_reason=reason)
    if varies(kept):
        left_out = np.isfinite(jackknife)
        bca = bca_interval(observed, kept, jackknife[left_out], strata[left_out], confidence)
        estimate = _shown(observed, percentile_interval(kept, confidence), bca, defined, patients)
        return estimate if len(jackknife) else replace(estimate, interval_reason="")
    if trials and observed in (0.0, 1.0):
        low, high = exact_interval(observed, trials, confidence)
        return Estimate(observed, low, high, low, high, defined, patients=patients, method=EXACT)
    return Estimate(observed, defined=defined, patients=patients, interval_reason=SAME)


def varies(samples: np.ndarray) -> bool:
    """Whether resampled values [R], NaN left out, differ by more than rounding."""
    kept = samples[np.isfinite(samples)]
    return len(kept) > 0 and float(np.ptp(kept)) > ROUNDING


def _shown(
    observed: float, percentile: tuple[float, float], bca: tuple[float, float], defined: float, patients: int
) -> Estimate:
    has_bca = bool(np.isfinite(bca[0]))
    method = BCA if has_bca and 0 < patients < FEW_PATIENTS else PERCENTILE
    low, high = bca if method == BCA else percentile
    reason = "" if has_bca else ONE_SIDED
    return Estimate(observed, low, high, *bca, defined, patients=patients, method=method, interval_reason=reason)
