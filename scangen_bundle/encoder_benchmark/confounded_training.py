"""Average performance drop: what a probe loses when label and scanner are correlated in its training scans.

PathoROB's experiment (J. Kömen et al., "Towards robust foundation models for digital pathology", 2025;
github.com/bifold-pathomics/PathoROB) on any cohort, with the scanner for the medical centre and the mean vector of a scan
for the patch, because a manifest labels scans:

- A repeat takes two scanners, and splits the patients into training, validation and test.
- Split s = 0..m trains on 2m scans of each class, m + s of them from one scanner and m - s from the other; the first half
  of the classes leans to the first scanner, the second half to the second. At s = 0 scanner and class are independent, at
  s = m a scanner has one half of the classes only. The number of training scans never changes; where patients were scanned
  on both scanners, the patients do not change either.
- The probe is a logistic regression whose C, of 15 values, has the best balanced accuracy on validation scans that are
  mixed as the training scans are.
- It is tested on other patients: in domain on both scanners alike, out of domain on all other scanners.
- The drop is the mean over s >= 1 of accuracy_s / accuracy_0, minus 1, and the mean over the repeats is the figure
  (`metrics.performance_drop`).

The published experiment keeps one validation slide per cell and 20 repeats; here repeats take the pairs of scanners in turn.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from scangen_bundle.encoder_benchmark.entries import Measured
from scangen_bundle.encoder_benchmark.unpaired_measures import Points
from scangen_bundle.measures.performance_drop import average_performance_drop
from scangen_bundle.statistics.bootstrap import ratio
from scangen_bundle.statistics.exact import exact_interval

PENALTIES = 10.0 ** np.linspace(-8, 4, 15)
REPEATS = 20
TEST_SHARE, VALIDATION_SHARE = 0.25, 0.15
MOST_STEPS, MOST_HALF = 7, 28  # PathoROB's Camelyon experiment has m = 7, and 300 patches of a slide
DOMAINS = ("id", "ood")
KEYS = tuple(f"performance_drop/{domain}" for domain in DOMAINS)


@dataclass(frozen=True)
class Plan:
    """Rows of the scans of one repeat.

    Attributes:
        training: [class][scanner] 2m rows, one of each patient. Training takes as many of each as the split says, from the
            front; paired scans of the second scanner are in reverse, so that no patient is taken twice.
        validation: [class][scanner] rows.
        test: rows by domain.
        half: m, half the training scans of a class.
        step: scans that change sides from one split to the next.
    """

    training: list[list[np.ndarray]]
    validation: list[list[np.ndarray]]
    test: dict[str, np.ndarray]
    half: int
    step: int

    def shares(self, split: int) -> np.ndarray:
        """Share [classes, 2] of each scanner in the training scans of a class."""
        leaning = np.arange(len(self.training)) < len(self.training) / 2
        more = (1 + split * self.step / self.half) / 2
        return np.where(leaning[:, None], [more, 1 - more], [1 - more, more])

    def training_rows(self, split: int) -> np.ndarray:
        """Rows of the training scans at a split."""
        counts = np.rint(self.shares(split) * 2 * self.half).astype(int)
        return np.concatenate(
            [rows[:n] for both, of in zip(self.training, counts, strict=True) for rows, n in zip(both, of, strict=True)]
        )

    @property
    def splits(self) -> int:
        return self.half // self.step + 1


@dataclass(frozen=True)
class Outcome:
    """Was each test scan right, in one repeat and domain.

    Attributes:
        rows: [n] test scans.
        right: bool [S, n].
    """

    rows: np.ndarray
    right: np.ndarray


class PerformanceDrop:
    """The drop as a statistic of patients' weights; the probes are those of the observed data.

    Keys: `performance_drop/<domain>`. Classes and their scanners weigh alike in the accuracy of a resample, too. A repeat
    whose test scans lack a class in a resample is left out of it. Resamples move the figure by what they move the ratio of
    the mean accuracies: the mean of ratios itself has a bias that grows as a resample's test sets shrink.

    Args:
        tested: by domain.
        scans: the cohort.
    """

    def __init__(self, tested: dict[str, list[Outcome]], scans: Points) -> None:
        self._tested, self._scans = tested, scans
        ones = np.ones((1, int(scans.patient.max()) + 1))
        self._offset = {}
        for domain in DOMAINS:
            accuracy = self.accuracies(domain, ones)[0]
            defined = np.isfinite(accuracy).all(axis=0)
            drop = average_performance_drop(accuracy[:, defined]) if defined.any() else np.nan
            self._offset[domain] = drop - float(_drop_of_means(accuracy[None])[0])
        self.reasons = {
            key: "no test scan on another scanner, or a class has none"
            for key, value in self(ones).items()
            if not np.isfinite(value[0])
        }

    def accuracies(self, domain: str, weights: np.ndarray) -> np.ndarray:
        """Balanced accuracies [R, S, repeats] for weights [R, P]."""
        return np.stack([self._accuracy(one, weights) for one in self._tested[domain]], axis=2)

    def _accuracy(self, one: Outcome, weights: np.ndarray) -> np.ndarray:
        """[R, S]: the mean over classes, and over their scanners, of the share of right test scans."""
        weight = weights[:, self._scans.patient[one.rows]].astype(np.float64)
        label, scanner = self._scans.label[one.rows], self._scans.scanner[one.rows]
        of_class = []
        for c in np.unique(self._scans.label):
            cells = [np.flatnonzero((label == c) & (scanner == s)) for s in np.unique(scanner)]
            shares = [
                ratio(weight[:, cell] @ one.right[:, cell].T, weight[:, cell].sum(axis=1, keepdims=True))
                for cell in cells
                if len(cell)
            ]
            of_class.append(
                _known_mean(np.stack(shares), 0) if shares else np.full((len(weights), len(one.right)), np.nan)
            )
        return np.mean(of_class, axis=0)

    @property
    def exact(self) -> dict[str, tuple[float, float]]:
        """Intervals of drops that are 0 because correlation changed no guess, so that no resample can move them.

        That none of n patients saw another guess has an exact upper bound for the share d that would (`metrics.exact`), and the
        drop is at most d over the accuracy at the start. n is of the class with fewest patients, since classes weigh alike.
        """
        ones = np.ones((1, int(self._scans.patient.max()) + 1))
        found = {}
        for domain, key in zip(DOMAINS, KEYS, strict=True):
            tested = [one for one in self._tested[domain] if len(one.rows)]
            if not tested or any((one.right != one.right[0]).any() for one in tested):
                continue
            rows = np.unique(np.concatenate([one.rows for one in tested]))
            label, patient = self._scans.label[rows], self._scans.patient[rows]
            fewest = min(len(np.unique(patient[label == c])) for c in np.unique(label))
            start = float(_known_mean(self.accuracies(domain, ones)[0, 0], 0))
            if start > 0:
                most = exact_interval(0.0, fewest)[1] / start
                found[key] = -most, most
        return found

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {
            key: _drop_of_means(self.accuracies(domain, weights)) + self._offset[domain]
            for domain, key in zip(DOMAINS, KEYS, strict=True)
        }


def _drop_of_means(accuracy: np.ndarray) -> np.ndarray:
    """[R]: mean over s >= 1 of accuracy_s / accuracy_0, minus 1, of the mean accuracies of [R, S, repeats]."""
    mean = _known_mean(accuracy, 2)
    return ratio(mean[:, 1:], mean[:, :1]).mean(axis=1) - 1


def _known_mean(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is not NaN along an axis; NaN where nothing is."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0).sum(axis=axis), known.sum(axis=axis))


def drop_measures(scans: Points, seed: int = 0, repeats: int | None = None) -> Measured:
    """The average performance drop of scans, in and out of domain; unlabelled scans are left out.

    Args:
        scans: one vector per scan.
        seed: of the draws.
        repeats: each with other patients; pairs of scanners take turns; None takes `REPEATS`.
    """
    repeats = repeats or REPEATS
    scans = scans[np.flatnonzero(scans.label >= 0)]
    reason = _impossible(scans)
    if reason:
        return Measured([], reasons=dict.fromkeys(KEYS, reason))
    generator = np.random.default_rng(seed)
    pairs = generator.permutation(list(combinations(np.unique(scans.scanner), 2)))
    tested: dict[str, list[Outcome]] = {domain: [] for domain in DOMAINS}
    used = []
    for turn in range(repeats * len(pairs)):
        first, second = generator.permutation(pairs[turn % len(pairs)])
        plan = draw_plan(scans, int(first), int(second), generator)
        if plan is not None:
            used.append(plan.half)
            with threadpool_limits(1):  # matrices are so small that threads only wait for each other
                right = _train_and_test(scans, plan)
            for domain in DOMAINS:
                tested[domain].append(Outcome(plan.test[domain], right[domain]))
        if len(used) == repeats:
            break
    if not used:
        return Measured([], reasons=dict.fromkeys(KEYS, "no two scanners have enough patients of every class"))
    drop = PerformanceDrop(tested, scans)
    ones = np.ones((1, int(scans.patient.max()) + 1))
    notes = {}
    for domain, key in zip(DOMAINS, KEYS, strict=True):
        start = _known_mean(drop.accuracies(domain, ones)[0, 0], 0)
        notes[key] = (
            f"balanced accuracy {float(start):.2f} where label and scanner are independent; {len(used)} repeats on "
            f"{' to '.join(str(2 * m) for m in sorted({min(used), max(used)}))} training scans per class"
        )
    return Measured([drop], dict.fromkeys(KEYS, 0.0), notes=notes, exact=drop.exact)


def _impossible(scans: Points) -> str:
    if len(np.unique(scans.label)) < 2:
        return "one class only" if len(scans.label) else "no labels"
    return "one scanner only" if len(np.unique(scans.scanner)) < 2 else ""


def draw_plan(scans: Points, first: int, second: int, generator: np.random.Generator) -> Plan | None:
    """Draw the scans of one repeat with two scanners; None where they have too few patients of some class."""
    order = generator.permutation(len(scans.label))
    own = order[_first_specimen(scans, order)]  # one specimen of each patient, so that a patient has one class
    classes = np.unique(scans.label[own])
    rows: list[list[dict[int, int]]] = []
    for c in classes:
        of_class = own[scans.label[own] == c]
        rows.append(
            [{int(scans.patient[r]): int(r) for r in of_class[scans.scanner[of_class] == s]} for s in (first, second)]
        )
    paired = all(len(set(a) & set(b)) >= max(len(a), len(b)) / 2 for a, b in rows)
    if paired:
        pools = [[sorted(set(a) & set(b))] * 2 for a, b in rows]
    else:
        pools = [[sorted(set(a) - set(b)), sorted(set(b) - set(a))] for a, b in rows]
    least = min(len(pool) for both in pools for pool in both)
    validated = max(1, round(VALIDATION_SHARE * least))
    half = min(MOST_HALF, int((least * (1 - TEST_SHARE) - validated) // 2))
    if half < 1:
        return None
    step = -(-half // MOST_STEPS)
    half = half // step * step
    training, validation, taken = [], [], []
    for of_class, both in zip(rows, pools, strict=True):
        drawn = [generator.permutation(both[0])] * 2 if paired else [generator.permutation(pool) for pool in both]
        train = [drawn[0][: 2 * half], drawn[1][: 2 * half][::-1]]
        held = [some[2 * half : 2 * half + validated] for some in drawn]
        training.append([np.array([of_class[s][p] for p in train[s]]) for s in (0, 1)])
        validation.append([np.array([of_class[s][p] for p in held[s]]) for s in (0, 1)])
        taken += [*train, *held]
    free = own[~np.isin(scans.patient[own], np.concatenate(taken))]
    inside = np.isin(scans.scanner[free], (first, second))
    return Plan(training, validation, {"id": free[inside], "ood": free[~inside]}, half, step)


def _first_specimen(scans: Points, order: np.ndarray) -> np.ndarray:
    """Positions in `order` [N] of the scans of the specimen of each patient that comes first there."""
    chosen: dict[int, int] = {}
    for row in order:
        chosen.setdefault(int(scans.patient[row]), int(scans.specimen[row]))
    return np.array([i for i, row in enumerate(order) if chosen[int(scans.patient[row])] == scans.specimen[row]])


def _train_and_test(scans: Points, plan: Plan) -> dict[str, np.ndarray]:
    """Was each test scan right at each split: bool [S, n] by domain."""
    right: dict[str, list[np.ndarray]] = {domain: [] for domain in DOMAINS}
    validation = np.concatenate([rows for both in plan.validation for rows in both])
    for split in range(plan.splits):
        train = plan.training_rows(split)
        # A scanner's validation scans weigh as much as its training scans; the weights of a class add up to 1.
        weight = np.concatenate(
            [
                np.full(len(rows), share / len(rows))
                for both, shares in zip(plan.validation, plan.shares(split), strict=True)
                for rows, share in zip(both, shares, strict=True)
            ]
        )
        values = scans.values[train].astype(np.float64)
        # The weights of a penalised regression lie in the span of its training vectors, which has fewer dimensions.
        basis = np.linalg.svd(values, full_matrices=False)[2].T if len(train) < values.shape[1] else None
        probe = _best_probe(_in_basis(scans, train, basis), _in_basis(scans, validation, basis), weight)
        for domain, rows in plan.test.items():
            seen, truth = _in_basis(scans, rows, basis)
            right[domain].append(probe.predict(seen) == truth if len(rows) else np.zeros(0, bool))
    return {domain: np.stack(values) for domain, values in right.items()}


def _in_basis(scans: Points, rows: np.ndarray, basis: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and labels of some scans."""
    values = scans.values[rows].astype(np.float64)
    return (values if basis is None else values @ basis), scans.label[rows]


def _best_probe(
    train: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray], weight: np.ndarray
) -> LogisticRegression:
    """The probe with the best weighted share of right validation scans, of equal ones that with the smallest C."""
    best, best_score = None, -1.0
    for penalty in PENALTIES:
        with warnings.catch_warnings():  # with a weak penalty and separable classes it has no end
            warnings.simplefilter("ignore", ConvergenceWarning)
            probe = LogisticRegression(C=penalty).fit(*train)
        score = float(weight @ (probe.predict(validation[0]) == validation[1]))
        if score > best_score + 1e-12:
            best, best_score = probe, score
    return best
