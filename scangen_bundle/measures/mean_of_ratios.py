"""The statistic behind most measures: a mean over classes of weighted sums' ratios."""

from __future__ import annotations

import numpy as np

from scangen_bundle.statistics.bootstrap import patient_sums, ratio


class MeanOfRatios:
    """A statistic of patients' weights: the mean over classes of sum(numerator) / sum(denominator).

    A share (every numerator counts successes among its denominator's trials) has `trials` for its interval at 0 and at 1:
    the patients of the class that has the fewest. (Patients differ in what they bring, but that all of a patient's trials
    succeed is no more probable than the share itself, so the interval is too wide rather than too narrow.)

    Args:
        key: of the value.
        numerator, denominator: [N] or [N, C] per row.
        patient: [N] int64.
        patients: P.
        share: whether the value is a share of trials.
    """

    def __init__(
        self,
        key: str,
        numerator: np.ndarray,
        denominator: np.ndarray,
        patient: np.ndarray,
        patients: int,
        share: bool = False,
    ) -> None:
        self.key = key
        self._numerator = _sums(numerator, patient, patients)
        self._denominator = _sums(denominator, patient, patients)
        value = self(np.ones((1, patients), dtype=np.int32))[key][0]
        self.reasons = {} if np.isfinite(value) else {key: "no scan enters the figure"}
        self.trials = {key: int((self._denominator > 0).sum(axis=0).min())} if share else {}

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        of_classes = ratio(weights @ self._numerator, weights @ self._denominator)
        return {self.key: of_classes.mean(axis=1)}


def _sums(values: np.ndarray, patient: np.ndarray, patients: int) -> np.ndarray:
    columns = np.asarray(values, dtype=np.float64).reshape(len(patient), -1)
    return patient_sums(columns, patient, patients)


def balanced_accuracy(
    key: str, truth: np.ndarray, guess: np.ndarray, patient: np.ndarray, patients: int
) -> MeanOfRatios:
    """Mean recall of the classes of `truth` [N] by `guess` [N], as a statistic of patients' weights; chance is 1 / classes."""
    classes = truth[:, None] == np.unique(truth)[None]
    right = classes & (guess == truth)[:, None]
    return MeanOfRatios(key, right, classes, patient, patients, share=True)
