"""Numbers: pure functions, arrays in, numbers out."""

from scangen_bundle.metrics.agreement import Agreement, coefficient_of_variation, flip_rate, score_table
from scangen_bundle.metrics.bootstrap import Interval, PatientBootstrap
from scangen_bundle.metrics.calibration import Calibration, brier, calibration_line, expected_calibration_error
from scangen_bundle.metrics.compare import holm
from scangen_bundle.metrics.definitions import DEFINITIONS, Definition
from scangen_bundle.metrics.delong import delong_interval, delong_test
from scangen_bundle.metrics.discrimination import (
    Discrimination,
    auroc,
    average_precision,
    sensitivity_at,
    youden_threshold,
)
from scangen_bundle.metrics.evaluate import SCHEMA_VERSION, compare_predictions, evaluate_predictions
from scangen_bundle.metrics.predictions import Predictions, check_predictions

__all__ = [
    "DEFINITIONS",
    "SCHEMA_VERSION",
    "Agreement",
    "Calibration",
    "Definition",
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
    "compare_predictions",
    "delong_interval",
    "delong_test",
    "evaluate_predictions",
    "expected_calibration_error",
    "flip_rate",
    "holm",
    "score_table",
    "sensitivity_at",
    "youden_threshold",
]
