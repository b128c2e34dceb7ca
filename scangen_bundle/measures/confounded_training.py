"""Probes trained on scans whose label and scanner are ever more correlated, and tested on other patients.

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

from scangen_bundle.measures.points import Points

PENALTIES = 10.0 ** np.linspace(-8, 4, 15)
TEST_SHARE, VALIDATION_SHARE = 0.25, 0.15
MOST_STEPS, MOST_HALF = 7, 28  # PathoROB's Camelyon experiment has m = 7, and 300 patches of a slide
DOMAINS = ("id", "ood")


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


@dataclass(frozen=True)
class Repeat:
    """A repeat: its scans, and the outcome on its test scans by domain."""

    plan: Plan
    outcomes: dict[str, Outcome]


def train_and_test(scans: Points, repeats: int, generator: np.random.Generator) -> list[Repeat]:
    """Train and test probes in `repeats` repeats, each with other patients; pairs of scanners take turns.

    Pairs with too few patients of some class are skipped, so that there may be fewer repeats, or none.

    Args:
        scans: labelled scans of at least two classes and two scanners.
        repeats: wanted.
        generator: of the draws.
    """
    pairs = generator.permutation(list(combinations(np.unique(scans.scanner), 2)))
    done: list[Repeat] = []
    for turn in range(repeats * len(pairs)):
        first, second = generator.permutation(pairs[turn % len(pairs)])
        plan = draw_plan(scans, int(first), int(second), generator)
        if plan is not None:
            with threadpool_limits(1):  # matrices are so small that threads only wait for each other
                right = _train_and_test(scans, plan)
            done.append(Repeat(plan, {name: Outcome(plan.test[name], right[name]) for name in DOMAINS}))
        if len(done) == repeats:
            break
    return done


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
