"""Metrics of predictions and of features."""

from scangen_bundle.measures.agreement import Agreement, coefficient_of_variation, flip_rate, score_table
from scangen_bundle.measures.calibration import Calibration
from scangen_bundle.measures.calibration_slope import calibration_line
from scangen_bundle.measures.definitions import DEFINITIONS, Definition
from scangen_bundle.measures.discrimination import (
    Discrimination,
    auroc,
    average_precision,
    sensitivity_at,
    youden_threshold,
)
from scangen_bundle.measures.evaluate import SCHEMA_VERSION, compare_predictions, evaluate_predictions
from scangen_bundle.measures.evaluate_embeddings import evaluate_embeddings
from scangen_bundle.measures.predictions import Predictions, check_predictions

__all__ = [
    "DEFINITIONS",
    "SCHEMA_VERSION",
    "Agreement",
    "Calibration",
    "Definition",
    "Discrimination",
    "Predictions",
    "auroc",
    "average_precision",
    "calibration_line",
    "check_predictions",
    "coefficient_of_variation",
    "compare_predictions",
    "evaluate_embeddings",
    "evaluate_predictions",
    "flip_rate",
    "score_table",
    "sensitivity_at",
    "youden_threshold",
]
