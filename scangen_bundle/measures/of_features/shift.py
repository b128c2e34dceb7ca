"""What is the shift from one scanner to another: a constant, an affine map, or neither?"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import PAIRED, SHUFFLED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

OFFSET, AFFINE, NEITHER = "shift/offset", "shift/affine", "shift/neither"
MOST_PLACES = 480  # for each pair of scanners a ridge regression is fitted
FOLDS = 5


@feature_measure(
    FeatureMeasure(
        OFFSET,
        "shift: offset",
        "",
        "Share of the scanner shift that one constant vector explains; below 0: does harm.",
        baseline=SHUFFLED,
        group=PAIRED,
        position=60,
    ),
    FeatureMeasure(
        AFFINE,
        "shift: affine",
        "",
        "Share that an affine map explains beyond the offset.",
        baseline=SHUFFLED,
        group=PAIRED,
        position=61,
    ),
    FeatureMeasure(
        NEITHER,
        "shift: neither",
        "lower",
        "Share that neither explains, on patients the fit did not see.",
        baseline=SHUFFLED,
        group=PAIRED,
        position=62,
    ),
)
def shift(features: FeatureViews) -> Measured:
    generator = features.generator()
    places = features.places.sample(MOST_PLACES, generator)
    if places.patients < 2:
        raise UndefinedMeasure("one patient only: maps are tested on other patients")
    # Any pair of scanners shows what unrelated places give.
    shuffled = Shift(places.shuffled_places(generator)[:, :2], places.patient)
    baselines = shuffled(np.ones((1, places.patients), dtype=np.int32))
    return Measured(
        [Shift(places.values, places.patient)],
        places.patients,
        rows=len(places),
        baselines={key: float(value[0]) for key, value in baselines.items()},
    )


class Shift:
    """Shares of the shift from the first scanner to the others that an offset, an affine map and neither explain.

    A statistic of patients' weights: shares of the energy sum |b_i - a_i|^2 of places that the fit did not see
    (`shift_energies`), summed over the other scanners. As with an R^2 on such data, a share is below 0 where the map does
    harm there, and then another is above it. The three add up to 1.

    Args:
        features: [P, S, D].
        patient: [P] int64 from 0.
    """

    reasons: dict[str, str]

    def __init__(self, features: np.ndarray, patient: np.ndarray) -> None:
        scanners = range(1, features.shape[1])
        energies = sum(shift_energies(features[:, 0], features[:, s], patient) for s in scanners)
        self._sums = patient_sums(np.asarray(energies), patient, int(patient.max()) + 1)
        self.reasons = {} if self._sums.any() else dict.fromkeys((OFFSET, AFFINE, NEITHER), "there is no shift")

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        energy, after_offset, after_affine = (weights @ self._sums).T
        neither = ratio(after_affine, energy)
        offset = 1 - ratio(after_offset, energy)
        return {OFFSET: offset, AFFINE: 1 - offset - neither, NEITHER: neither}


def shift_energies(a: np.ndarray, b: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Energy of the shift b - a of each row, and what is left of it after an offset and after an affine map: [n, 3].

    The offset is the mean shift, the affine map a ridge regression of b - a on a whose penalty is chosen by leave-one-out
    error on the training part. Both are fitted on the other folds' groups, so a map with D x D numbers gains nothing by
    heart.

    Args:
        a, b: [n, D], row i of both from one place.
        groups: [n] specimen of each row; a specimen is in one fold.

    Raises:
        ValueError: fewer than 2 specimens.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import GroupKFold

    a = np.asarray(a, dtype=np.float64)
    shift = np.asarray(b, dtype=np.float64) - a
    folds = min(FOLDS, len(np.unique(groups)))
    if folds < 2:
        raise ValueError("expected at least 2 specimens")
    energies = np.stack([(shift**2).sum(axis=1)] * 3, axis=1)
    if not energies.any():
        return energies
    penalties = np.logspace(-3, 4, 8) * max(float(a.var(axis=0).mean()), 1e-12)
    for train, test in GroupKFold(folds).split(a, groups=groups):
        after_offset = shift[test] - shift[train].mean(axis=0)
        energies[test, 1] = (after_offset**2).sum(axis=1)
        model = RidgeCV(penalties).fit(a[train], shift[train])
        after_affine = shift[test] - model.predict(a[test])
        energies[test, 2] = (after_affine**2).sum(axis=1)
    return energies
