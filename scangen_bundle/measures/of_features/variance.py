"""How much of the variance of paired features is the tissue, the scanner, and the rest?"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import PAIRED, SHUFFLED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

TISSUE, SCANNER, INTERACTION = "variance/tissue", "variance/scanner", "variance/interaction"
MOST_PLACES = 1500  # of the baselines


@feature_measure(
    FeatureMeasure(
        TISSUE,
        "variance: tissue",
        "higher",
        "Share of the variance that is the place.",
        baseline=SHUFFLED,
        group=PAIRED,
        position=50,
    ),
    FeatureMeasure(
        SCANNER,
        "variance: scanner",
        "lower",
        "Share of the variance that is the scanner.",
        baseline="scanners of each place shuffled",
        group=PAIRED,
        position=51,
        overview=3,
    ),
    FeatureMeasure(
        INTERACTION,
        "variance: interaction",
        "lower",
        "Share that is place by scanner, and noise.",
        baseline=SHUFFLED,
        group=PAIRED,
        position=52,
    ),
)
def variance(features: FeatureViews) -> Measured:
    places, generator = features.places, features.generator()
    sample = places.sample(MOST_PLACES, generator)
    of_places = _shares(sample.shuffled_places(generator), sample.patient)
    of_scanners = _shares(sample.shuffled_scanners(generator), sample.patient)
    return Measured(
        [Variance(places.values, places.patient)],
        places.patients,
        rows=len(places),
        baselines={**of_places, SCANNER: of_scanners[SCANNER]},
    )


def _shares(values: np.ndarray, patient: np.ndarray) -> dict[str, float]:
    everyone = np.ones((1, int(patient.max()) + 1), dtype=np.int32)
    return {key: float(value[0]) for key, value in Variance(values, patient)(everyone).items()}


class Variance:
    """Random-effects components of places x scanners by the ANOVA estimator, as shares of the variance of one observation.

    A statistic of patients' weights. x_ps = mean + place_p + scanner_s + interaction_ps, summed over features; with one
    observation per cell the interaction holds the noise, too. Expected mean squares give
    var(place) = (MS_place - MS_rest) / S and var(scanner) = (MS_scanner - MS_rest) / P; negative estimates are set to 0
    (S. Searle et al., Variance Components, 1992, ch. 4). The three shares add up to 1.

    Args:
        features: [P, S, D].
        patient: [P] int64 from 0.
    """

    def __init__(self, features: np.ndarray, patient: np.ndarray) -> None:
        patients = int(patient.max()) + 1
        self._scanners = features.shape[1]
        centred = features - features.mean(axis=(0, 1), dtype=np.float64)
        self._places = np.bincount(patient, minlength=patients).astype(np.float64)
        per_place = centred.mean(axis=1)
        squares = np.column_stack([(per_place**2).sum(axis=1), (centred**2).sum(axis=(1, 2))])
        self._squares = patient_sums(squares, patient, patients)
        self._sums = np.zeros((patients, *features.shape[1:]))
        np.add.at(self._sums, patient, centred)
        observed = self(np.ones((1, patients)))
        undefined = [key for key, value in observed.items() if not np.isfinite(value[0])]
        self.reasons = dict.fromkeys(undefined, "too few places, or no variance")

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        scanners, places = self._scanners, weights @ self._places
        by_scanner = np.tensordot(weights, self._sums, axes=1) / places[:, None, None]  # [R, S, D]
        mean = by_scanner.mean(axis=1)
        mean_square = (mean**2).sum(axis=1)
        of_places, of_all = (weights @ self._squares).T
        ss_places = scanners * (of_places - places * mean_square)
        ss_scanner = places * ((by_scanner - mean[:, None]) ** 2).sum(axis=(1, 2))
        ss_rest = of_all - places * scanners * mean_square - ss_places - ss_scanner
        interaction = ratio(ss_rest, (places - 1) * (scanners - 1))
        tissue = np.maximum(ratio(ss_places, places - 1) - interaction, 0) / scanners
        scanner = np.maximum(ss_scanner / (scanners - 1) - interaction, 0) / places
        total = np.stack([tissue, scanner, interaction]).sum(axis=0)
        return {TISSUE: ratio(tissue, total), SCANNER: ratio(scanner, total), INTERACTION: ratio(interaction, total)}
