"""Vectors of one encoder's tiles or scans, each with its patient, specimen, scanner and label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scangen_bundle.measures.measure import UndefinedMeasure


@dataclass(frozen=True)
class Points:
    """Vectors of tiles or scans; a selection `points[rows]` keeps the numbering.

    Attributes:
        values: float32 [N, D].
        patient, specimen, scanner: [N] int64 from 0.
        label: [N] int64 from 0; -1 = unlabelled.
        patients: P, the number of patients of the whole cohort; 0 takes the largest number in `patient`.
    """

    values: np.ndarray
    patient: np.ndarray
    specimen: np.ndarray
    scanner: np.ndarray
    label: np.ndarray
    patients: int = 0

    def __post_init__(self) -> None:
        if not self.patients and len(self.patient):
            object.__setattr__(self, "patients", int(self.patient.max()) + 1)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: np.ndarray) -> Points:
        return Points(
            self.values[rows],
            self.patient[rows],
            self.specimen[rows],
            self.scanner[rows],
            self.label[rows],
            self.patients,
        )

    @property
    def scanners(self) -> int:
        """Number of different scanners."""
        return len(np.unique(self.scanner))

    def drop_unlabelled(self) -> Points:
        """The labelled ones, which may be none."""
        return self[np.flatnonzero(self.label >= 0)]

    def labelled(self) -> Points:
        """The labelled ones, of at least two classes with two patients each.

        Raises:
            UndefinedMeasure: there are fewer.
        """
        points = self.drop_unlabelled()
        classes = np.unique(points.label)
        if len(classes) < 2:
            raise UndefinedMeasure("one class only" if len(classes) else "no labels")
        if min(points.patients_per_class()) < 2:
            raise UndefinedMeasure("a class has fewer than two patients")
        return points

    def patients_per_class(self) -> list[int]:
        """Number of patients of each label that occurs, in the labels' order."""
        return [len(np.unique(self.patient[self.label == label])) for label in np.unique(self.label)]

    def class_codes(self) -> np.ndarray:
        """[N] int64: the labels that occur, numbered from 0."""
        return np.unique(self.label, return_inverse=True)[1]
