"""Paired measures as functions of the patients' weights, so that `metrics.PatientBootstrap` gives their intervals.

x[p, s] is the feature vector of place p on scanner s; a place is a field of view, or a whole slide where tiles do not
correspond. A resample draws patients with all of their specimens and places. Neighbours and fitted maps are those of the
observed data.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from scangen_bundle.measures.embedding import MeanOfRatios
from scangen_bundle.measures.paired_features import (
    RETRIEVAL_KS,
    own_neighbours,
    paired_cosine,
    retrieval_hits,
    shift_energies,
    unit_rows,
)
from scangen_bundle.statistics.bootstrap import patient_sums, ratio


class CosineGap:
    """Cosine of the same tissue on two scanners, of different tissue on one scanner, and the difference.

    Keys: `cosine/same_tissue`, `cosine/other_tissue`, `cosine/gap`. Different tissue means two places, of one specimen or of
    two; a patient who was drawn twice is not paired with itself.

    Args:
        unit: [P, S, D] unit vectors.
        patient: [P] int64 from 0.
    """

    def __init__(self, unit: np.ndarray, patient: np.ndarray) -> None:
        patients = int(patient.max()) + 1
        pairs = list(combinations(range(unit.shape[1]), 2))
        cosine = np.stack([paired_cosine(unit[:, a], unit[:, b]) for a, b in pairs], axis=1)
        self.pairs = {pair: float(cosine[:, i].mean()) for i, pair in enumerate(pairs)}
        self._places = np.bincount(patient, minlength=patients).astype(np.float64)
        self._same = patient_sums(cosine.mean(axis=1, keepdims=True), patient, patients)[:, 0]
        self._grams, self._squares = [], []
        for scanner in range(unit.shape[1]):
            sums = np.zeros((patients, unit.shape[2]))
            np.add.at(sums, patient, unit[:, scanner])
            self._grams.append(sums @ sums.T)
            squares = np.einsum("pd,pd->p", unit[:, scanner], unit[:, scanner], dtype=np.float64)
            self._squares.append(patient_sums(squares[:, None], patient, patients)[:, 0])
        self.reasons = (
            {} if len(patient) > 1 else dict.fromkeys(("cosine/other_tissue", "cosine/gap"), "one place only")
        )

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        same = ratio(weights @ self._same, weights @ self._places)
        n = self._places
        number = (weights @ n) ** 2 - weights**2 @ n**2 + weights @ (n**2 - n)
        other = np.mean(
            [
                ratio(
                    np.einsum("ru,ru->r", weights @ gram, weights)
                    - weights**2 @ np.diag(gram)
                    + weights @ (np.diag(gram) - squares),
                    number,
                )
                for gram, squares in zip(self._grams, self._squares, strict=True)
            ],
            axis=0,
        )
        return {"cosine/same_tissue": same, "cosine/other_tissue": other, "cosine/gap": same - other}


def retrieval(
    unit: np.ndarray, patient: np.ndarray, ks: tuple[int, ...] = RETRIEVAL_KS, device: str = "cpu"
) -> tuple[list[MeanOfRatios], dict[tuple[int, int], np.ndarray]]:
    """Top-k retrieval of the same place on another scanner, mean over pairs of scanners: a statistic per k, with the key
    `retrieval/top<k>`; and the accuracies [K] of each pair. Chance is k / (2 P - 1).

    Args:
        unit: [P, S, D] unit vectors.
        patient: [P] int64 from 0.
        ks: numbers of neighbours.
        device: for the products.
    """
    scanners = unit.shape[1]
    arrays = [np.ascontiguousarray(unit[:, scanner]) for scanner in range(scanners)]
    own = [own_neighbours(array, max(ks), device=device) for array in arrays]
    hits = {
        (a, b): retrieval_hits(arrays[a], arrays[b], own[a], own[b], ks, device=device)
        for a, b in combinations(range(scanners), 2)
    }
    mean = np.mean(list(hits.values()), axis=0)
    patients = int(patient.max()) + 1
    statistics = [
        MeanOfRatios(f"retrieval/top{k}", mean[:, i], np.ones(len(mean)), patient, patients) for i, k in enumerate(ks)
    ]
    return statistics, {pair: values.mean(axis=0) for pair, values in hits.items()}


class Cka:
    """Linear CKA (see `metrics.paired_features.linear_cka`) of two scanners, mean over pairs. Key: `cka`.

    With K the Gram matrix of a scanner's places and w the weights of the places, the weighted HSIC of two scanners is
    sum_ij w_i w_j K_ij L_ij - 2/W sum_i w_i (K w)_i (L w)_i + (w'K w)(w'L w) / W^2, W = sum w.

    Args:
        features: [P, S, D]; keep P at a few thousand, its memory is S P^2.
        patient: [P] int64 from 0.
    """

    reasons: dict[str, str]

    def __init__(self, features: np.ndarray, patient: np.ndarray) -> None:
        self._patient = patient
        self._patients = int(patient.max()) + 1
        scanners = features.shape[1]
        centred = features - features.mean(axis=0, dtype=np.float64)
        grams = [centred[:, s] @ centred[:, s].T for s in range(scanners)]
        member = (patient[:, None] == np.arange(self._patients)).astype(np.float64)
        self._rows = [gram @ member for gram in grams]  # [P, patients]
        self._both = {
            (a, b): member.T @ (grams[a] * grams[b]) @ member for a in range(scanners) for b in range(a, scanners)
        }
        self.reasons = {}
        value = float(self(np.ones((1, self._patients)))["cka"][0])
        if not np.isfinite(value):
            self.reasons["cka"] = "the features do not vary"

    def pair_values(self, weights: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
        """CKA [R] of each pair of scanners for weights [R, patients]."""
        place = weights[:, self._patient].T.astype(np.float64)  # [P, R]
        total = place.sum(axis=0)
        along = [rows @ weights.T for rows in self._rows]
        whole = [(place * values).sum(axis=0) for values in along]
        hsic = {
            (a, b): np.einsum("ru,ru->r", weights @ both, weights)
            - 2 / total * (place * along[a] * along[b]).sum(axis=0)
            + whole[a] * whole[b] / total**2
            for (a, b), both in self._both.items()
        }
        return {
            (a, b): ratio(value, np.sqrt(np.maximum(hsic[a, a] * hsic[b, b], 0)))
            for (a, b), value in hsic.items()
            if a != b
        }

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"cka": np.mean(list(self.pair_values(weights).values()), axis=0)}


class Variance:
    """Random-effects components of places x scanners by the ANOVA estimator, as shares of the variance of one observation.

    x_ps = mean + place_p + scanner_s + interaction_ps, summed over features; with one observation per cell the interaction
    holds the noise, too. Expected mean squares give var(place) = (MS_place - MS_rest) / S and var(scanner) =
    (MS_scanner - MS_rest) / P; negative estimates are set to 0 (S. Searle et al., Variance Components, 1992, ch. 4).
    Keys: `variance/tissue`, `variance/scanner`, `variance/interaction`; they add up to 1.

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
        squares = np.stack([(per_place**2).sum(axis=1), (centred**2).sum(axis=(1, 2))], axis=1)
        self._squares = patient_sums(squares, patient, patients)
        self._sums = np.zeros((patients, *features.shape[1:]))
        np.add.at(self._sums, patient, centred)
        self.reasons = {}
        observed = self(np.ones((1, patients)))
        self.reasons = {key: "too few places, or no variance" for key, v in observed.items() if not np.isfinite(v[0])}

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        scanners, places = self._scanners, weights @ self._places
        by_scanner = np.tensordot(weights, self._sums, axes=1) / places[:, None, None]  # [R, S, D]
        mean = by_scanner.mean(axis=1)
        mean_square = (mean**2).sum(axis=1)
        of_places, of_all = (weights @ self._squares).T
        ss_places = scanners * (of_places - places * mean_square)
        ss_scanner = places * ((by_scanner - mean[:, None]) ** 2).sum(axis=(1, 2))
        ss_rest = of_all - places * scanners * mean_square - ss_places - ss_scanner
        ms_rest = ratio(ss_rest, (places - 1) * (scanners - 1))
        parts = np.stack(
            [
                np.maximum(ratio(ss_places, places - 1) - ms_rest, 0) / scanners,
                np.maximum(ss_scanner / (scanners - 1) - ms_rest, 0) / places,
                ms_rest,
            ]
        )
        names = ("tissue", "scanner", "interaction")
        return {f"variance/{n}": ratio(part, parts.sum(axis=0)) for n, part in zip(names, parts, strict=True)}


class Shift:
    """Shares of the shift from the first scanner to the others that an offset, an affine map and neither explain.

    Shares of the energy sum |b_i - a_i|^2 of places that the fit did not see (`metrics.paired_features.shift_energies`), summed
    over the other scanners. As with an R^2 on such data, a share is below 0 where the map does harm there, and then another
    is above it. Keys: `shift/offset`, `shift/affine`, `shift/neither`; they add up to 1.

    Args:
        features: [P, S, D].
        patient: [P] int64 from 0.
    """

    reasons: dict[str, str]

    def __init__(self, features: np.ndarray, patient: np.ndarray) -> None:
        energies = sum(shift_energies(features[:, 0], features[:, s], patient) for s in range(1, features.shape[1]))
        self._sums = patient_sums(np.asarray(energies), patient, int(patient.max()) + 1)
        self.reasons = {}
        if not self._sums.any():
            self.reasons = dict.fromkeys(("shift/offset", "shift/affine", "shift/neither"), "there is no shift")

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        energy, after_offset, after_affine = (weights @ self._sums).T
        neither = ratio(after_affine, energy)
        offset = 1 - ratio(after_offset, energy)
        return {"shift/offset": offset, "shift/affine": 1 - offset - neither, "shift/neither": neither}


def shuffled_places(features: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The same features [P, S, D] with the places of each scanner but the first in a random order: the baseline of pairing."""
    mixed = features.copy()
    for scanner in range(1, features.shape[1]):
        mixed[:, scanner] = features[generator.permutation(len(features)), scanner]
    return mixed


def shuffled_scanners(features: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The same features [P, S, D] with the scanners of each place in a random order: what a scanner's share is by chance."""
    order = generator.random(features.shape[:2]).argsort(axis=1)
    return np.take_along_axis(features, order[:, :, None], axis=1)


def unit_places(features: np.ndarray) -> np.ndarray:
    """[P, S, D] scaled to length 1."""
    return unit_rows(features.reshape(-1, features.shape[-1])).reshape(features.shape)
