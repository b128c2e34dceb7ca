"""Shares of right decisions, which sensitivity, specificity and balanced accuracy share."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio
from scangen_bundle.statistics.exact import disjoint_pairs


def positive_columns(scans: Scans) -> dict[str, np.ndarray]:
    """Columns that `sensitivity` needs."""
    return {"positives": scans.positive, "true positives": scans.positive & scans.predicted}


def negative_columns(scans: Scans) -> dict[str, np.ndarray]:
    """Columns that `specificity` needs."""
    return {"negatives": ~scans.positive, "true negatives": ~scans.positive & ~scans.predicted}


def sensitivity(sums: Sums) -> np.ndarray:
    """[R] share of the positives that are predicted positive."""
    return ratio(sums["true positives"], sums["positives"])


def specificity(sums: Sums) -> np.ndarray:
    """[R] share of the negatives that are predicted negative."""
    return ratio(sums["true negatives"], sums["negatives"])


def count_disjoint_pairs(scans: Scans) -> int:
    """Pairs of a patient with a positive scan and one with a negative scan, each patient used once."""
    everyone = np.unique(scans.patient)
    positive = np.isin(everyone, scans.patients_of(scans.positive))
    negative = np.isin(everyone, scans.patients_of(~scans.positive))
    return disjoint_pairs(positive, negative)
