"""Linear centred kernel alignment: do two scanners arrange the places alike?"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import PAIRED, SHUFFLED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.statistics.bootstrap import ratio

KEY = "cka"
MOST_PLACES = 1500  # memory is their square, for each scanner


@feature_measure(
    FeatureMeasure(
        KEY,
        "CKA",
        "higher",
        "Linear centred kernel alignment of two scanners.",
        baseline=SHUFFLED,
        group=PAIRED,
        position=40,
        heatmap=True,
    )
)
def cka(features: FeatureViews) -> Measured:
    generator = features.generator()
    places = features.places.sample(MOST_PLACES, generator)
    statistic = Cka(places.values, places.patient)
    shuffled = places.shuffled_places(generator)
    names = places.pair_names
    values = statistic.pair_values(np.ones((1, places.patients)))
    return Measured(
        [statistic],
        places.patients,
        rows=len(places),
        baselines={KEY: linear_cka(shuffled[:, 0], shuffled[:, 1])},
        pairs={KEY: {names[pair]: float(value[0]) for pair, value in values.items()}},
    )


class Cka:
    """Linear CKA (see `linear_cka`) of two scanners, mean over pairs; a statistic of patients' weights.

    With K the Gram matrix of a scanner's places and w the weights of the places, the weighted HSIC of two scanners is
    sum_ij w_i w_j K_ij L_ij - 2/W sum_i w_i (K w)_i (L w)_i + (w'K w)(w'L w) / W^2, W = sum w.

    Args:
        features: [P, S, D]; memory is S P^2.
        patient: [P] int64 from 0.
    """

    reasons: dict[str, str]

    def __init__(self, features: np.ndarray, patient: np.ndarray) -> None:
        self._patient = patient
        patients, scanners = int(patient.max()) + 1, features.shape[1]
        centred = features - features.mean(axis=0, dtype=np.float64)
        grams = [values @ values.T for values in np.moveaxis(centred, 1, 0)]
        member = (patient[:, None] == np.arange(patients)).astype(np.float64)
        self._rows = [gram @ member for gram in grams]  # [P, patients]
        self._both = {}
        for a in range(scanners):
            for b in range(a, scanners):
                self._both[a, b] = member.T @ (grams[a] * grams[b]) @ member
        value = float(self(np.ones((1, patients)))[KEY][0])
        self.reasons = {} if np.isfinite(value) else {KEY: "the features do not vary"}

    def pair_values(self, weights: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
        """CKA [R] of each pair of scanners for weights [R, patients]."""
        place = weights[:, self._patient].T.astype(np.float64)  # [P, R]
        total = place.sum(axis=0)
        along = [rows @ weights.T for rows in self._rows]
        totals = [(place * values).sum(axis=0) for values in along]
        hsic = {}
        for (a, b), both in self._both.items():
            hsic[a, b] = (
                np.einsum("ru,ru->r", weights @ both, weights)
                - 2 / total * (place * along[a] * along[b]).sum(axis=0)
                + totals[a] * totals[b] / total**2
            )
        alignment = {}
        for (a, b), cross in hsic.items():
            if a != b:
                norm = np.sqrt(np.maximum(hsic[a, a] * hsic[b, b], 0))
                alignment[a, b] = ratio(cross, norm)
        return alignment

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {KEY: np.mean(list(self.pair_values(weights).values()), axis=0)}


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Linear centred kernel alignment, 0 to 1: |B'A|^2 / (|A'A| |B'B|) of the centred arrays, Frobenius norms.

    S. Kornblith et al., "Similarity of Neural Network Representations Revisited", ICML 2019. With fewer rows than columns
    it is near 1 even for unrelated arrays: show this of shuffled rows beside it.
    """
    first = np.asarray(a, dtype=np.float64) - np.mean(a, axis=0, dtype=np.float64)
    second = np.asarray(b, dtype=np.float64) - np.mean(b, axis=0, dtype=np.float64)
    if len(first) > first.shape[1]:
        cross = float(np.linalg.norm(second.T @ first) ** 2)
        norms = np.linalg.norm(first.T @ first) * np.linalg.norm(second.T @ second)
    else:  # the same by Gram matrices, smaller here
        gram_a, gram_b = first @ first.T, second @ second.T
        cross = float((gram_a * gram_b).sum())
        norms = np.linalg.norm(gram_a) * np.linalg.norm(gram_b)
    return float(cross / norms) if norms > 0 else float("nan")
