"""Unpaired measures: how well scanner and label are told from features, with baselines. Neighbours are of other patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scangen_bundle.encoder_benchmark.entries import AT, Measured
from scangen_bundle.measures.confounding_indices import generalisation_index
from scangen_bundle.measures.embedding import (
    ROBUSTNESS_KS,
    MeanOfRatios,
    NeighbourCounts,
    all_other_counts,
    balanced_accuracy,
    choose_k,
    knn_probe,
    linear_probe,
    neighbour_counts,
    robustness_index,
    silhouette_values,
)
from scangen_bundle.measures.neighbours import nearest
from scangen_bundle.statistics.bootstrap import Statistic, patient_sums, ratio

INDICES = ("robustness_index", "generalisation_index")


@dataclass(frozen=True)
class Points:
    """Vectors with what is known of each.

    Attributes:
        values: float32 [N, D].
        patient, specimen, scanner, label: [N] int64 from 0; label -1 = unknown.
    """

    values: np.ndarray
    patient: np.ndarray
    specimen: np.ndarray
    scanner: np.ndarray
    label: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Points:
        return Points(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def scanner_measures(tiles: Points, patients: int, seed: int = 0) -> Measured:
    """Scanner probes and silhouettes of tiles; the probes' recall of one scanner has the key `<probe>@<scanner's number>`.

    Args:
        tiles: of a number that a logistic regression can bear, a few thousand.
        patients: number of patients of the cohort.
        seed: of the folds.
    """
    statistics: list[Statistic] = []
    baselines: dict[str, float] = {}
    reasons: dict[str, str] = {}
    scanners, here = len(np.unique(tiles.scanner)), len(np.unique(tiles.patient))
    probes = ("scanner_probe/linear", "scanner_probe/knn")
    if scanners < 2:
        reasons.update(dict.fromkeys((*probes, "silhouette/scanner"), "one scanner only"))
    elif here < 2:
        reasons.update(dict.fromkeys(probes, "one patient only: a probe is tested on other patients"))
    else:
        linear = linear_probe(tiles.values, tiles.scanner, tiles.patient, min(5, here), seed)
        by_key = {probes[0]: linear, probes[1]: knn_probe(tiles.values, tiles.scanner, tiles.patient)}
        for key, guess in by_key.items():
            statistics.append(balanced_accuracy(key, tiles.scanner, guess, tiles.patient, patients))
            for one in np.unique(tiles.scanner):
                rows = tiles.scanner == one
                statistics.append(MeanOfRatios(f"{key}{AT}{one}", rows & (guess == one), rows, tiles.patient, patients))
            baselines[key] = 1 / scanners
    for key, cluster in (("silhouette/scanner", tiles.scanner), ("silhouette/tissue", tiles.specimen)):
        if len(np.unique(cluster)) < 2:
            reasons.setdefault(key, "one specimen only")
            continue
        values = silhouette_values(tiles.values, cluster)
        statistics.append(MeanOfRatios(key, values, np.ones(len(values)), tiles.patient, patients))
        baselines[key] = 0.0
    return Measured(statistics, baselines, reasons)


class Generalisation:
    """The generalisation index as a function of patients' weights.

    Args:
        key: of the figure.
        counts: of the scans' neighbours.
        patient: [N] int64 from 0.
        patients: number of patients.
    """

    def __init__(self, key: str, counts: NeighbourCounts, patient: np.ndarray, patients: int) -> None:
        parts = np.stack([counts.ss, counts.so, counts.os, counts.oo], axis=1).astype(np.float64)
        self._key, self._sums = key, patient_sums(parts, patient, patients)
        self.reasons = {}
        if not np.isfinite(generalisation_index(counts)):
            self.reasons[key] = "no neighbour shares label and scanner, or none is of another scanner"

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        ss, so, os, oo = (weights @ self._sums).T
        return {self._key: ratio(ss * so + so * os, ss * so + ss * oo)}


def label_probe(scans: Points, patients: int, seed: int = 0) -> Measured:
    """The linear probe of the label on scans; unlabelled scans are left out.

    Args:
        scans: one vector per scan.
        patients: number of patients of the cohort.
        seed: of the folds.
    """
    key = "label_probe/linear"
    scans, reason = _labelled(scans)
    if reason:
        return Measured([], reasons={key: reason})
    label = np.unique(scans.label, return_inverse=True)[1]
    per_class = [len(np.unique(scans.patient[label == c])) for c in np.unique(label)]
    try:
        guess = linear_probe(scans.values, label, scans.patient, min(5, *per_class), seed)
    except ValueError:  # folds of whole patients can leave a training part without a class
        return Measured([], reasons={key: f"{min(per_class)} patients of a class are too few for folds"})
    return Measured([balanced_accuracy(key, label, guess, scans.patient, patients)], {key: 1 / len(per_class)})


def _labelled(scans: Points) -> tuple[Points, str]:
    """The labelled scans, and why nothing can be said of labels."""
    scans = scans[np.flatnonzero(scans.label >= 0)]
    per_class = [len(np.unique(scans.patient[scans.label == c])) for c in np.unique(scans.label)]
    if len(per_class) < 2:
        return scans, "one class only" if per_class else "no labels"
    return scans, "a class has fewer than two patients" if min(per_class) < 2 else ""


def index_measures(scans: Points, patients: int, fixed: int | None = None) -> tuple[Measured, int | None]:
    """Robustness and generalisation index of scans at every k of `ROBUSTNESS_KS` neighbours, as `<index>@<k>`; and the best k.

    The best k has the best balanced accuracy of the label's vote. PathoROB takes one k for all models, the median of their
    best ones, for with different k they do not compare: see `settle_k`. Neighbours are of other patients.

    Args:
        scans: one vector per scan, or per labelled patch; those without a label are left out.
        patients: number of patients of the cohort.
        fixed: a further number of neighbours.
    """
    scans, reason = _labelled(scans)
    if not reason and len(np.unique(scans.scanner)) < 2:
        reason = "one scanner only"
    if reason:
        return Measured([], reasons=dict.fromkeys(INDICES, reason)), None
    label, patient = np.unique(scans.label, return_inverse=True)[1], scans.patient
    others = min(int((patient != one).sum()) for one in np.unique(patient))
    ks = [k for k in sorted({*ROBUSTNESS_KS, *([fixed] if fixed else [])}) if k <= others]
    neighbours = nearest(scans.values, patient, max(ks))
    statistics: list[Statistic] = []
    for k in ks:
        counts = neighbour_counts(neighbours, label, scans.scanner, k)
        robustness, generalisation = (f"{name}{AT}{k}" for name in INDICES)
        statistics.append(MeanOfRatios(robustness, counts.so, counts.so + counts.os, patient, patients))
        statistics.append(Generalisation(generalisation, counts, patient, patients))
    every = all_other_counts(label, scans.scanner, patient)
    baselines = dict(zip(INDICES, (robustness_index(every), generalisation_index(every)), strict=True))
    return Measured(statistics, baselines), choose_k(neighbours, label, ks)
