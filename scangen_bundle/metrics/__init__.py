"""Numbers: pure functions, arrays in, numbers out."""

from scangen_bundle.metrics.agreement import Agreement, coefficient_of_variation, flip_rate, score_table
from scangen_bundle.metrics.bootstrap import Interval, PatientBootstrap
from scangen_bundle.metrics.calibration import Calibration, brier, calibration_line, expected_calibration_error
from scangen_bundle.metrics.discrimination import (
    Discrimination,
    auroc,
    average_precision,
    sensitivity_at,
    youden_threshold,
)
from scangen_bundle.metrics.predictions import Predictions, check_predictions

__all__ = [
    "Agreement",
    "Calibration",
    "Discrimination",
    "Interval",
    "PatientBootstrap",
    "Predictions",
    "auroc",
    "average_precision",
    "brier",
    "calibration_line",
    "check_predictions",
    "coefficient_of_variation",
    "expected_calibration_error",
    "flip_rate",
    "score_table",
    "sensitivity_at",
    "youden_threshold",
]
