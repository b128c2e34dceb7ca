"""PathoROB's average performance drop: what accuracy is lost as label and scanner grow correlated in training.

The drop of a repeat (see `confounded_training`) is the mean over its splits s >= 1 of accuracy_s / accuracy_0, minus 1. The
value is the mean over the repeats. Pairs of scanners with fewer patients have fewer splits; each repeat takes its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from scangen_bundle.measures.confounded_training import DOMAINS, Outcome, Repeat, train_and_test
from scangen_bundle.measures.feature_measure import UNPAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.points import Points
from scangen_bundle.statistics.bootstrap import ratio
from scangen_bundle.statistics.exact import exact_interval

REPEATS = 20
KEYS = {domain: f"performance_drop/{domain}" for domain in DOMAINS}


@feature_measure(
    FeatureMeasure(
        KEYS["id"],
        "performance drop, same scanners",
        "higher",
        "Accuracy that a probe loses when label and scanner are correlated in training, relative (PathoROB).",
        baseline="0",
        group=UNPAIRED,
        position=60,
        overview=6,
        scatter="robustness",
    ),
    FeatureMeasure(
        KEYS["ood"],
        "performance drop, other scanners",
        "higher",
        "The same on scanners that the probe was not trained on.",
        baseline="0",
        group=UNPAIRED,
        position=61,
    ),
)
def performance_drop(features: FeatureViews) -> Measured:
    scans = features.scans.drop_unlabelled()
    if len(np.unique(scans.label)) < 2:
        raise UndefinedMeasure("one class only" if len(scans) else "no labels")
    if scans.scanners < 2:
        raise UndefinedMeasure("one scanner only")
    repeats = train_and_test(scans, REPEATS, features.generator())
    if not repeats:
        raise UndefinedMeasure("no two scanners have enough patients of every class")
    tested = {domain: [repeat.outcomes[domain] for repeat in repeats] for domain in DOMAINS}
    statistic = PerformanceDrop(tested, scans)
    return Measured(
        [statistic],
        scans.patients,
        rows=len(scans),
        baselines=dict.fromkeys(KEYS.values(), 0.0),
        notes={KEYS[domain]: _note(statistic.start(domain), repeats) for domain in DOMAINS},
        exact=statistic.exact,
    )


def _note(start: float, repeats: list[Repeat]) -> str:
    scans = _range(2 * repeat.plan.half for repeat in repeats)
    note = (
        f"balanced accuracy {start:.2f} where label and scanner are independent; {len(repeats)} repeats on {scans} "
        "training scans per class"
    )
    splits = {repeat.plan.splits for repeat in repeats}
    return f"{note}, in {_range(splits)} splits" if len(splits) > 1 else note


def _range(numbers: Iterable[int]) -> str:
    ordered = sorted(numbers)
    return " to ".join(dict.fromkeys([str(ordered[0]), str(ordered[-1])]))


class PerformanceDrop:
    """The drop as a statistic of patients' weights; the probes are those of the observed data.

    Classes and their scanners weigh alike in the accuracy of a resample, too. A repeat whose test scans lack a class in a
    resample is left out of it. Resamples move the value by what they move the ratio of the mean accuracies (of the repeats
    with as many splits, which then weigh as many as they are): the mean of ratios itself has a bias that grows as a
    resample's test sets shrink.

    Args:
        tested: by domain, an outcome per repeat.
        scans: the cohort.
    """

    def __init__(self, tested: dict[str, list[Outcome]], scans: Points) -> None:
        self._tested, self._scans = tested, scans
        everyone = np.ones((1, scans.patients))
        self._offset = {}
        for domain in DOMAINS:
            accuracies = [accuracy for accuracy in self.accuracies(domain, everyone) if np.isfinite(accuracy).all()]
            drops = [average_performance_drop(accuracy.T) for accuracy in accuracies]
            mean_of_drops = np.mean(drops) if drops else np.nan
            drop_of_means = float(self._drop_of_means(domain, everyone)[0])
            self._offset[domain] = mean_of_drops - drop_of_means
        undefined = [key for key, value in self(everyone).items() if not np.isfinite(value[0])]
        self.reasons = dict.fromkeys(undefined, "no test scan on another scanner, or a class has none")

    def accuracies(self, domain: str, weights: np.ndarray) -> list[np.ndarray]:
        """Balanced accuracies [R, S] of each repeat, S its number of splits, for weights [R, P]."""
        return [self._accuracy(outcome, weights) for outcome in self._tested[domain]]

    def _accuracy(self, outcome: Outcome, weights: np.ndarray) -> np.ndarray:
        """[R, S]: the mean over classes, and over their scanners, of the share of right test scans."""
        weight = weights[:, self._scans.patient[outcome.rows]].astype(np.float64)
        label, scanner = self._scans.label[outcome.rows], self._scans.scanner[outcome.rows]
        of_classes = []
        for c in np.unique(self._scans.label):
            shares = []
            for s in np.unique(scanner):
                cell = np.flatnonzero((label == c) & (scanner == s))
                if len(cell):
                    right = weight[:, cell] @ outcome.right[:, cell].T
                    shares.append(ratio(right, weight[:, cell].sum(axis=1, keepdims=True)))
            if shares:
                of_classes.append(_mean_of_defined(np.stack(shares), 0))
            else:
                of_classes.append(np.full((len(weights), len(outcome.right)), np.nan))
        return np.mean(of_classes, axis=0)

    def start(self, domain: str) -> float:
        """Mean accuracy over the repeats where label and scanner are independent."""
        accuracies = self.accuracies(domain, np.ones((1, self._scans.patients)))
        return float(_mean_of_defined(np.array([accuracy[0, 0] for accuracy in accuracies]), 0))

    @property
    def exact(self) -> dict[str, tuple[float, float]]:
        """Intervals of drops that are 0 because correlation changed no guess, so that no resample can move them.

        That none of n patients saw another guess has an exact upper bound for the share d that would (`statistics.exact`),
        and the drop is at most d over the accuracy at the start. n is of the class with fewest patients, since classes weigh
        alike.
        """
        intervals = {}
        for domain, key in KEYS.items():
            tested = [outcome for outcome in self._tested[domain] if len(outcome.rows)]
            if not tested or any((outcome.right != outcome.right[0]).any() for outcome in tested):
                continue
            rows = np.unique(np.concatenate([outcome.rows for outcome in tested]))
            start = self.start(domain)
            if start > 0:
                fewest = min(self._scans[rows].patients_per_class())
                most = exact_interval(0.0, fewest)[1] / start
                intervals[key] = -most, most
        return intervals

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {key: self._drop_of_means(domain, weights) + self._offset[domain] for domain, key in KEYS.items()}

    def _drop_of_means(self, domain: str, weights: np.ndarray) -> np.ndarray:
        """[R]: mean over s >= 1 of mean accuracy_s / mean accuracy_0, minus 1, the means over repeats with as many splits."""
        by_splits: dict[int, list[np.ndarray]] = defaultdict(list)
        for accuracy in self.accuracies(domain, weights):
            by_splits[accuracy.shape[1]].append(accuracy)
        drops, repeats = [], []
        for accuracies in by_splits.values():
            mean = _mean_of_defined(np.stack(accuracies, axis=2), 2)
            drops.append(ratio(mean[:, 1:], mean[:, :1]).mean(axis=1) - 1)
            repeats.append(len(accuracies))
        return drops[0] if len(drops) == 1 else np.average(drops, axis=0, weights=repeats)


def _mean_of_defined(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is not NaN along an axis; NaN where nothing is."""
    defined = np.isfinite(values)
    return ratio(np.where(defined, values, 0).sum(axis=axis), defined.sum(axis=axis))


def performance_drops(accuracies: np.ndarray) -> np.ndarray:
    """Relative drop of each repeat [I]: mean over the splits s >= 1 of accuracy_s / accuracy_0, minus 1; 0 = no drop.

    The measure of PathoROB (github.com/bifold-pathomics/PathoROB): split 0 is uncorrelated, later ones ever more; the
    average performance drop is the mean over repeats. A ratio of means differs in the third digit.

    Args:
        accuracies: [S, I] of S >= 2 splits and I repeats; a repeat with accuracy 0 at split 0 gives NaN.

    Raises:
        ValueError: another shape.
    """
    accuracies = np.asarray(accuracies, dtype=np.float64)
    if accuracies.ndim != 2 or accuracies.shape[0] < 2 or not accuracies.shape[1]:
        raise ValueError(f"expected accuracies of at least two splits and one repeat [S, I], got {accuracies.shape}")
    start = np.where(accuracies[0] > 0, accuracies[0], np.nan)
    return (accuracies[1:] / start).mean(axis=0) - 1


def average_performance_drop(accuracies: np.ndarray) -> float:
    """Mean of `performance_drops` over the repeats."""
    return float(performance_drops(accuracies).mean())
