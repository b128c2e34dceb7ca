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
from collections.abc import Sequence
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
        training: rows by class and scanner, 2m each, one of each patient. Training takes as many of each as the split says,
            from the front; paired scans of the second scanner are in reverse, so that no patient is taken twice.
        validation: rows by class and scanner.
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
        rows = []
        for of_class, numbers in zip(self.training, counts, strict=True):
            for of_scanner, number in zip(of_class, numbers, strict=True):
                rows.append(of_scanner[:number])
        return np.concatenate(rows)

    def validation_rows(self, split: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the validation scans, and their weights at a split.

        A scanner's validation scans weigh as much as its training scans; the weights of a class add up to 1.
        """
        rows, weights = [], []
        for of_class, shares in zip(self.validation, self.shares(split), strict=True):
            for of_scanner, share in zip(of_class, shares, strict=True):
                rows.append(of_scanner)
                weights.append(np.full(len(of_scanner), share / len(of_scanner)))
        return np.concatenate(rows), np.concatenate(weights)

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
    finished: list[Repeat] = []
    for turn in range(repeats * len(pairs)):
        if len(finished) == repeats:
            break
        first, second = generator.permutation(pairs[turn % len(pairs)])
        plan = draw_plan(scans, int(first), int(second), generator)
        if plan is None:
            continue
        with threadpool_limits(1):  # matrices are so small that threads only wait for each other
            outcomes = _train_and_test(scans, plan)
        finished.append(Repeat(plan, outcomes))
    return finished


def draw_plan(scans: Points, first: int, second: int, generator: np.random.Generator) -> Plan | None:
    """Draw the scans of one repeat with two scanners; None where they have too few patients of some class."""
    order = generator.permutation(len(scans))
    candidates = order[_first_specimen(scans, order)]  # one specimen of each patient, so that a patient has one class
    rows = []
    for label in np.unique(scans.label[candidates]):
        members = candidates[scans.label[candidates] == label]
        rows.append((_row_by_patient(scans, members, first), _row_by_patient(scans, members, second)))
    paired = _mostly_paired(rows)
    pools = [_patient_pools(a, b, paired) for a, b in rows]
    fewest = min(len(pool) for pair in pools for pool in pair)
    validated = max(1, round(VALIDATION_SHARE * fewest))
    half = min(MOST_HALF, int((fewest * (1 - TEST_SHARE) - validated) // 2))
    if half < 1:
        return None
    step = -(-half // MOST_STEPS)
    half = half // step * step
    training, validation, taken = [], [], []
    for by_patient, pair in zip(rows, pools, strict=True):
        drawn = generator.permutation(pair[0])
        drawn_second = drawn if paired else generator.permutation(pair[1])
        trained = [drawn[: 2 * half], drawn_second[: 2 * half][::-1]]
        validated_rows = slice(2 * half, 2 * half + validated)
        held_out = [drawn[validated_rows], drawn_second[validated_rows]]
        training.append(_rows_of(by_patient, trained))
        validation.append(_rows_of(by_patient, held_out))
        taken += [*trained, *held_out]
    free = candidates[~np.isin(scans.patient[candidates], np.concatenate(taken))]
    inside = np.isin(scans.scanner[free], (first, second))
    return Plan(training, validation, {"id": free[inside], "ood": free[~inside]}, half, step)


def _row_by_patient(scans: Points, rows: np.ndarray, scanner: int) -> dict[int, int]:
    """The row of each patient that has one on the scanner."""
    of_scanner = rows[scans.scanner[rows] == scanner]
    return dict(zip(scans.patient[of_scanner].tolist(), of_scanner.tolist(), strict=True))


def _mostly_paired(rows: Sequence[tuple[dict[int, int], dict[int, int]]]) -> bool:
    """Whether, in every class, at least half the patients of the scanner with more were scanned on both scanners."""
    for first, second in rows:
        on_both = len(first.keys() & second.keys())
        if on_both < max(len(first), len(second)) / 2:
            return False
    return True


def _patient_pools(first: dict[int, int], second: dict[int, int], paired: bool) -> list[list[int]]:
    """Patients to draw from for each of two scanners: those on both, or those on one of them alone."""
    if paired:
        return [sorted(first.keys() & second.keys())] * 2
    return [sorted(first.keys() - second.keys()), sorted(second.keys() - first.keys())]


def _rows_of(by_patient: Sequence[dict[int, int]], patients: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Rows of the scans of patients on each of two scanners."""
    return [np.array([rows[p] for p in drawn]) for rows, drawn in zip(by_patient, patients, strict=True)]


def _first_specimen(scans: Points, order: np.ndarray) -> np.ndarray:
    """Positions in `order` [N] of the scans of each patient's first specimen there."""
    patient, specimen = scans.patient[order], scans.specimen[order]
    _, first, code = np.unique(patient, return_index=True, return_inverse=True)
    return np.flatnonzero(specimen == specimen[first][code])


def _train_and_test(scans: Points, plan: Plan) -> dict[str, Outcome]:
    """Train a probe at each split and test it in each domain."""
    right: dict[str, list[np.ndarray]] = {domain: [] for domain in DOMAINS}
    for split in range(plan.splits):
        train = plan.training_rows(split)
        validation, weight = plan.validation_rows(split)
        values = scans.values[train].astype(np.float64)
        # The weights of a penalised regression lie in the span of its training vectors, which has fewer dimensions.
        basis = None
        if len(train) < values.shape[1]:
            basis = np.linalg.svd(values, full_matrices=False)[2].T
        probe = _best_probe(_in_basis(scans, train, basis), _in_basis(scans, validation, basis), weight)
        for domain, rows in plan.test.items():
            vectors, label = _in_basis(scans, rows, basis)
            correct = probe.predict(vectors) == label if len(rows) else np.zeros(0, bool)
            right[domain].append(correct)
    return {domain: Outcome(plan.test[domain], np.stack(right[domain])) for domain in DOMAINS}


def _in_basis(scans: Points, rows: np.ndarray, basis: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and labels of the scans `rows`, in the basis [D, K] where there is one."""
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
