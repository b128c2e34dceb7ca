"""What each figure means and which way is better, for the tables and reports that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Definition:
    """A figure in words.

    Attributes:
        title: short name.
        meaning: one sentence.
        better: "higher", "lower", "zero" (closest to 0) or "one" (closest to 1).
    """

    title: str
    meaning: str
    better: Literal["higher", "lower", "zero", "one"]


DEFINITIONS = {
    "auroc": Definition(
        "AUROC", "share of (positive, negative) pairs of scans in the right order, ties half", "higher"
    ),
    "average_precision": Definition("Average precision", "area under the precision-recall steps", "higher"),
    "balanced_accuracy": Definition(
        "Balanced accuracy", "mean of the recalls of the classes at the threshold", "higher"
    ),
    "sensitivity": Definition("Sensitivity", "share of the positives at or above the threshold", "higher"),
    "specificity": Definition("Specificity", "share of the negatives below the threshold", "higher"),
    "brier": Definition("Brier score", "mean squared difference of probability and label", "lower"),
    "ece": Definition("ECE", "mean gap of probability and frequency over 10 bins of equal width", "lower"),
    "ece_equal_mass": Definition("ECE, equal mass", "the same over 10 bins of equal numbers of scans", "lower"),
    "calibration_slope": Definition("Calibration slope", "below 1 the probabilities are too extreme", "one"),
    "calibration_intercept": Definition(
        "Calibration intercept", "below 0 the probabilities are too high on the whole (slope fixed at 1)", "zero"
    ),
    "threshold_drift": Definition(
        "Threshold drift", "threshold that would keep the validation sensitivity, minus the threshold in use", "zero"
    ),
    "cov": Definition(
        "CoV", "sd / mean (ddof 1) of a specimen's scores over its scanners, mean over specimens", "lower"
    ),
    "sd": Definition("SD", "sd (ddof 1) of a specimen's scores over its scanners, mean over specimens", "lower"),
    "score_range": Definition(
        "Score range", "largest minus smallest score of a specimen, mean over specimens", "lower"
    ),
    "abs_difference": Definition(
        "|Δ| of pairs", "absolute difference of the scores of two scans of a specimen", "lower"
    ),
    "flip_rate": Definition(
        "Flip rate", "share of the specimens whose class differs between any two of their scanners", "lower"
    ),
    "icc": Definition("ICC(2,1)", "share of the scores' variance that is the specimen's, absolute agreement", "higher"),
    "all_scanner_agreement": Definition(
        "All-scanner agreement", "share of the specimens on every scanner that get one class on all", "higher"
    ),
    "fleiss_kappa": Definition("Fleiss' kappa", "agreement of the classes over all scanners beyond chance", "higher"),
    "ccc": Definition("Lin's CCC", "concordance of the scores of two scanners", "higher"),
    "cohen_kappa": Definition("Cohen's kappa", "agreement of the classes of two scanners beyond chance", "higher"),
    "bland_altman_bias": Definition("Bland-Altman bias", "mean difference of the scores, first minus second", "zero"),
    "bland_altman_lower": Definition("Lower limit of agreement", "bias - 1.96 sd of the differences", "zero"),
    "bland_altman_upper": Definition("Upper limit of agreement", "bias + 1.96 sd of the differences", "zero"),
}
