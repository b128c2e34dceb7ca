"""Numbers: pure functions, arrays in, numbers out."""

from scangen_bundle.metrics.agreement import Agreement, coefficient_of_variation, flip_rate, score_table
from scangen_bundle.metrics.bootstrap import Interval, PatientBootstrap
from scangen_bundle.metrics.calibration import Calibration
from scangen_bundle.metrics.calibration_slope import calibration_line
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
from scangen_bundle.metrics.embedding import (
    DaviesBouldin,
    Retrieval,
    all_other_counts,
    choose_k,
    knn_probe,
    linear_probe,
    neighbour_counts,
    robustness_index,
    silhouette_values,
    specimen_retrieval,
)
from scangen_bundle.metrics.evaluate import SCHEMA_VERSION, compare_predictions, evaluate_predictions
from scangen_bundle.metrics.evaluate_embeddings import evaluate_embeddings
from scangen_bundle.metrics.neighbours import nearest
from scangen_bundle.metrics.performance_drop import average_performance_drop, performance_drops
from scangen_bundle.metrics.predictions import Predictions, check_predictions

__all__ = [
    "DEFINITIONS",
    "SCHEMA_VERSION",
    "Agreement",
    "Calibration",
    "DaviesBouldin",
    "Definition",
    "Discrimination",
    "Interval",
    "PatientBootstrap",
    "Predictions",
    "Retrieval",
    "all_other_counts",
    "auroc",
    "average_performance_drop",
    "average_precision",
    "calibration_line",
    "check_predictions",
    "choose_k",
    "coefficient_of_variation",
    "compare_predictions",
    "delong_interval",
    "delong_test",
    "evaluate_embeddings",
    "evaluate_predictions",
    "flip_rate",
    "holm",
    "knn_probe",
    "linear_probe",
    "nearest",
    "neighbour_counts",
    "performance_drops",
    "robustness_index",
    "score_table",
    "sensitivity_at",
    "silhouette_values",
    "specimen_retrieval",
    "youden_threshold",
]
