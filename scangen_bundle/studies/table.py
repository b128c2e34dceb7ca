"""The leaderboard of a scheme: each method's measures, and each method compared with others on the same patients."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from scangen_bundle.statistics.bootstrap import Resampled
from scangen_bundle.statistics.compare import Comparison, compare_resampled, holm
from scangen_bundle.statistics.estimate import NAN, Estimate
from scangen_bundle.studies.figures import Samples, seeds_apart
from scangen_bundle.studies.models import ENSEMBLE, Model

SIGNIFICANT = 0.05
STANDARD_ERRORS = 2.0  # a difference below so many standard errors of the seeds is noise of the training
ENSEMBLE_SUFFIX = ", ensemble of seeds"


@dataclass(frozen=True)
class Difference:
    """A row's measure minus that of a row it is compared with.

    Attributes:
        comparison: of both, with the interval over patients.
        p_holm: its p-value, adjusted for the number of rows of the table.
        seed_sd: SD over seeds of the difference; NaN with fewer than two seeds in common.
        seeds: number of seeds in common.
    """

    comparison: Comparison
    p_holm: float = NAN
    seed_sd: float = NAN
    seeds: int = 0

    @property
    def is_clear(self) -> bool:
        """Whether neither the choice of patients nor that of seeds explains the difference."""
        if not self.p_holm < SIGNIFICANT:
            return False
        if not math.isfinite(self.seed_sd):
            return True
        standard_error = self.seed_sd / math.sqrt(self.seeds)
        return abs(self.comparison.difference.value) > STANDARD_ERRORS * standard_error


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard.

    Attributes:
        method: its name.
        label: what the line is called.
        is_ensemble: whether it is the mean of the seeds' probabilities.
        estimates: by key of a measure.
        seed_sd: by key, SD over seeds.
        against: by the label of another row, by key.
        by_hold_out: by set of held-out scanners, by key, the estimate where these are held out.
        seeds: number of seeds.
        missing: number of models (seed and held-out scanners) that failed.
    """

    method: str
    label: str
    is_ensemble: bool
    estimates: Mapping[str, Estimate]
    seed_sd: Mapping[str, float]
    against: Mapping[str, Mapping[str, Difference]] = field(default_factory=dict)
    by_hold_out: Mapping[tuple[str, ...], Mapping[str, Estimate]] = field(default_factory=dict)
    seeds: int = 0
    missing: int = 0


def tabulate(samples: Samples, references: Sequence[str], expected: int) -> list[Row]:
    """The rows of a scheme, in the order of its models.

    Args:
        samples: of all models of the scheme.
        references: methods that every row is compared with, such as "plain" and "scangen".
        expected: number of models of a method (seeds times sets of held-out scanners).
    """
    groups: dict[tuple[str, bool], list[Model]] = {}
    for model in samples.models:
        groups.setdefault((model.method, model.seed == ENSEMBLE), []).append(model)
    against: dict[tuple[str, bool], dict[str, dict[str, Difference]]] = {key: {} for key in groups}
    for reference in references:
        if (reference, False) in groups:
            for key, differences in _compare_all(samples, groups, reference).items():
                against[key][reference] = differences
    return [_row(samples, models, against[key], expected) for key, models in groups.items()]


def _row(
    samples: Samples, models: Sequence[Model], against: Mapping[str, Mapping[str, Difference]], expected: int
) -> Row:
    method, is_ensemble = models[0].method, models[0].seed == ENSEMBLE
    by_hold_out = {
        hold_out: estimates_of(samples.mean(model for model in models if model.hold_out == hold_out))
        for hold_out in dict.fromkeys(model.hold_out for model in models)
        if hold_out
    }
    return Row(
        method,
        method + ENSEMBLE_SUFFIX if is_ensemble else method,
        is_ensemble,
        estimates_of(samples.mean(models)),
        _spread_over_seeds(samples, models),
        against,
        by_hold_out,
        len(seeds_apart(models)),
        0 if is_ensemble else expected - len(models),
    )


def estimates_of(result: Resampled) -> dict[str, Estimate]:
    """Value and interval of every key."""
    return {key: result.estimate(key) for key in result.observed}


def _spread_over_seeds(samples: Samples, models: Sequence[Model]) -> dict[str, float]:
    """SD over seeds of each value; empty with fewer than two seeds."""
    values = [samples.mean(of_seed).observed for of_seed in seeds_apart(models).values()]
    return {key: float(np.std([each[key] for each in values], ddof=1)) for key in values[0]} if len(values) > 1 else {}


def _compare_all(
    samples: Samples, groups: Mapping[tuple[str, bool], Sequence[Model]], reference: str
) -> dict[tuple[str, bool], dict[str, Difference]]:
    """Every other row minus the reference, p-values adjusted over the rows."""
    compared = {
        key: _compare(samples, groups[reference, False], models)
        for key, models in groups.items()
        if key != (reference, False)
    }
    keys = {key for differences in compared.values() for key in differences}
    adjusted: dict[tuple[str, bool], dict[str, Difference]] = {row: {} for row in compared}
    for key in sorted(keys):
        rows = [row for row, differences in compared.items() if key in differences]
        p_values = holm([compared[row][key].comparison.p_value for row in rows])
        for row, p_value in zip(rows, p_values, strict=True):
            difference = compared[row][key]
            adjusted[row][key] = Difference(difference.comparison, float(p_value), difference.seed_sd, difference.seeds)
    return adjusted


def _compare(samples: Samples, first: Sequence[Model], second: Sequence[Model]) -> dict[str, Difference]:
    """Second minus first, of the models that both have: the same held-out scanners and, but for ensembles, seeds."""
    first, second = _in_common(first, second)
    if not first:
        return {}
    comparisons = compare_resampled(samples.mean(first), samples.mean(second))
    by_seed = []
    second_seeds = seeds_apart(second)
    for seed, models in seeds_apart(first).items():
        if seed in second_seeds:
            before, after = samples.mean(models).observed, samples.mean(second_seeds[seed]).observed
            by_seed.append({key: after[key] - before[key] for key in comparisons})
    count = len(by_seed)
    spread = {key: _sd([values[key] for values in by_seed]) for key in comparisons}
    return {key: Difference(found, NAN, spread[key], count) for key, found in comparisons.items()}


def _in_common(first: Iterable[Model], second: Iterable[Model]) -> tuple[list[Model], list[Model]]:
    first, second = list(first), list(second)
    is_ensemble = any(model.seed == ENSEMBLE for model in second)

    def place(model: Model) -> tuple:
        return model.hold_out if is_ensemble else (model.hold_out, model.seed)

    places = {place(model) for model in first} & {place(model) for model in second}
    return [m for m in first if place(m) in places], [m for m in second if place(m) in places]


def _sd(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else NAN
