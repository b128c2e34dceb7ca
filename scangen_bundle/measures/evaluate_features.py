"""Every measure of an encoder's features, with intervals over patients: a loop over the registered measures."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from scangen_bundle.measures.feature_measure import AT, Compute, FeatureMeasure, Measured, feature_measures
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.measure import NotApplicable, UndefinedMeasure
from scangen_bundle.statistics.bootstrap import PatientBootstrap
from scangen_bundle.statistics.estimate import Estimate, undefined
from scangen_bundle.statistics.exact import EXACT
from scangen_bundle.statistics.interval import SAME

logger = logging.getLogger(__name__)

FEWEST_PATIENTS = 3  # fewer say nothing about other patients


@dataclass(frozen=True)
class FeatureEstimates:
    """What the measures gave.

    Attributes:
        values: estimate by key, of measures with one value.
        details: estimates by key and scanner or number of neighbours, of measures with several.
        pairs: numbers by key and pair of scanners.
    """

    values: dict[str, Estimate] = field(default_factory=dict)
    details: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    pairs: dict[str, dict[str, float]] = field(default_factory=dict)


def evaluate_features(
    features: FeatureViews, resamples: int = 1000, measures: Iterable[FeatureMeasure] | None = None
) -> FeatureEstimates:
    """Compute measures, each by itself: one that fails has its reason in place of a value, the others go on.

    Args:
        features: of one encoder.
        resamples: of the bootstrap over patients.
        measures: None takes all registered ones.
    """
    measures = list(feature_measures().values() if measures is None else measures)
    result = FeatureEstimates()
    for compute, together in _computed_together(measures):
        try:
            measured = compute(features)
            estimates = estimate(measured, resamples, features.seed)
        except NotApplicable:
            continue
        except UndefinedMeasure as error:
            _add_reason(result, together, str(error))
            continue
        except Exception as error:
            keys = ", ".join(measure.key for measure in together)
            logger.warning("%s cannot be measured", keys, exc_info=True)
            _add_reason(result, together, f"{type(error).__name__}: {error}")
            continue
        for measure in together:
            _add(result, measure, estimates)
        for key, pairs in measured.pairs.items():
            result.pairs[key] = dict(pairs)
    return result


def _computed_together(measures: Iterable[FeatureMeasure]) -> Iterator[tuple[Compute, list[FeatureMeasure]]]:
    """Each function with the measures that it computes, in their order."""
    by_compute: dict[Compute, list[FeatureMeasure]] = {}
    for measure in measures:
        assert measure.compute is not None, f"{measure.key} is not registered by feature_measure"
        by_compute.setdefault(measure.compute, []).append(measure)
    yield from by_compute.items()


def _add_reason(result: FeatureEstimates, measures: Iterable[FeatureMeasure], reason: str) -> None:
    for measure in measures:
        if measure.by != "scanner":
            result.values[measure.key] = undefined(reason)


def _add(result: FeatureEstimates, measure: FeatureMeasure, estimates: dict[str, Estimate]) -> None:
    if not measure.by:
        result.values[measure.key] = estimates.get(measure.key, undefined("not defined on these data"))
        return
    prefix = measure.key + AT
    details = {key.removeprefix(prefix): value for key, value in estimates.items() if key.startswith(prefix)}
    if details:
        result.details[measure.key] = details


def estimate(measured: Measured, resamples: int, seed: int) -> dict[str, Estimate]:
    """Estimates of a measure's statistics by key, with bootstrap intervals over patients.

    Args:
        measured: of one measure.
        resamples: of the bootstrap; fewer than `FEWEST_PATIENTS` patients get no interval.
        seed: of the draws.
    """
    patients = measured.patients
    enough = patients >= FEWEST_PATIENTS
    strata = np.zeros(patients, np.int64) if measured.strata is None else measured.strata
    bootstrap = PatientBootstrap(strata, resamples if enough else 0, seed, jackknife=False)
    resampled = bootstrap.run(measured.statistics, measured.rows)
    estimates = {}
    for name in resampled.observed:
        key = measured.names.get(name, name)
        baselines = measured.baselines
        baseline = baselines.get(key, baselines.get(key.partition(AT)[0], math.nan))
        value = resampled.estimate(name, baseline=baseline, note=measured.notes.get(key, ""))
        if value.interval_reason == SAME and key in measured.exact:
            low, high = measured.exact[key]
            value = replace(value, low=low, high=high, interval_reason="", method=EXACT)
        if not enough:
            value = replace(value, interval_reason=f"{patients} patients, an interval needs {FEWEST_PATIENTS}")
        estimates[key] = value
    return estimates
