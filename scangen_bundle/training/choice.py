"""Which epoch of a training, and which strength of a method, validation chooses: rules that take predictions alone.

- `nll`: the lowest negative log-likelihood.
- `one_se`: among those whose worst scanner's AUROC is within one standard error (patients resampled) of the best one's, the
  highest ICC of the logits; then the fewest specimens that change class between scanners; then the lowest NLL. Validation
  has few patients, who do not tell small differences of AUROC apart; and a network that says the same of everybody agrees
  with itself, but cannot win.
- `auroc/worst`: the highest AUROC of the worst scanner, on a draw the lowest coefficient of variation.
- `last`: the last epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_statistic import PredictionStatistic
from scangen_bundle.measures.predictions import UNLABELLED, Predictions
from scangen_bundle.measures.ranking import youden_threshold
from scangen_bundle.registry import Registry
from scangen_bundle.statistics.bootstrap import PatientBootstrap

RESAMPLES = 200  # of the patients, for a standard error
DIGITS = 9  # of the ICC; smaller differences are rounding


def threshold_of(validation: Predictions) -> float:
    """The threshold of class 1 with the largest Youden's J; 0.5 where there is none or more than two classes."""
    if validation.classes != 2:
        return 0.5
    labelled = validation.label != UNLABELLED
    threshold = youden_threshold(validation.label[labelled], validation.probability[labelled, 1])
    return threshold if math.isfinite(threshold) else 0.5


class Candidate:
    """An epoch or a strength as the rules see it; each value is computed once, at the candidate's own threshold.

    Args:
        predictions: of the validation scans; all candidates have the same scans.
    """

    def __init__(self, predictions: Predictions) -> None:
        self.predictions = predictions

    @cached_property
    def nll(self) -> float:
        """Mean over scanners; infinite where it is undefined."""
        return self._value("nll", "nll/mean", math.inf)

    @cached_property
    def worst_auroc(self) -> float:
        """Of the worst scanner; minus infinity where it is undefined."""
        return self._value("auroc", "auroc/worst", -math.inf)

    @cached_property
    def cov(self) -> float:
        """Infinite where it is undefined."""
        return self._value("cov", "cov", math.inf)

    @cached_property
    def agreement(self) -> tuple[float, float, float]:
        """What a candidate is preferred by, larger is better: logit ICC, minus flips, minus NLL."""
        icc = self._value("logit_icc", "logit_icc", -math.inf)
        flips = self._value("flip_rate", "flip_rate", math.inf)
        return round(icc, DIGITS) if math.isfinite(icc) else icc, -flips, -self.nll

    @cached_property
    def standard_error(self) -> float:
        """SD of the worst scanner's AUROC over resamples of the patients."""
        statistic = PredictionStatistic(self._data, ["auroc"])
        bootstrap = PatientBootstrap(self.predictions.strata(), RESAMPLES, jackknife=False)
        samples = bootstrap.run([statistic], len(self.predictions.label), threads=1).samples["auroc/worst"]
        finite = samples[np.isfinite(samples)]
        return float(finite.std(ddof=1)) if len(finite) > 1 else 0.0

    @cached_property
    def _data(self) -> PredictionData:
        return PredictionData(self.predictions, threshold_of(self.predictions), pairs=())

    def _value(self, measure: str, key: str, undefined: float) -> float:
        value = PredictionStatistic(self._data, [measure]).observed().get(key, math.nan)
        return value if math.isfinite(value) else undefined


Rule = Callable[[Sequence[Candidate]], int]
RULES: Registry[Rule] = Registry("rule of choice")


@RULES.register("nll")
def lowest_nll(candidates: Sequence[Candidate]) -> int:
    """Position of the candidate with the lowest NLL; of the last one where none has any."""
    losses = [candidate.nll for candidate in candidates]
    if min(losses) == math.inf:
        return len(candidates) - 1
    return losses.index(min(losses))


@RULES.register("one_se")
def within_one_standard_error(candidates: Sequence[Candidate]) -> int:
    """Position of the candidate that agrees most, of those whose AUROC is within one standard error of the best one's."""
    worst = [candidate.worst_auroc for candidate in candidates]
    highest = max(worst)
    if highest == -math.inf:
        return lowest_nll(candidates)
    error = candidates[worst.index(highest)].standard_error
    eligible = [place for place, value in enumerate(worst) if value >= highest - error]
    return max(eligible, key=lambda place: candidates[place].agreement)


@RULES.register("auroc/worst")
def best_worst_auroc(candidates: Sequence[Candidate]) -> int:
    """Position of the candidate with the highest worst-scanner AUROC, on a draw with the lowest CoV; else the last one."""
    if all(candidate.worst_auroc == -math.inf for candidate in candidates):
        return len(candidates) - 1
    return max(range(len(candidates)), key=lambda place: (candidates[place].worst_auroc, -candidates[place].cov))


@RULES.register("last")
def last(candidates: Sequence[Candidate]) -> int:
    """Position of the last candidate."""
    return len(candidates) - 1


def choose_in_turn(rule: Rule, candidates: Sequence[Candidate]) -> int:
    """Position of the last candidate that was the choice among those before it and itself.

    So a training can follow any rule while it keeps one network alone.
    """
    chosen = 0
    for place in range(len(candidates)):
        if rule(candidates[: place + 1]) == place:
            chosen = place
    return chosen
