"""Metrics of predictions and of features."""

from scangen_bundle.measures.compare import compare_predictions
from scangen_bundle.measures.evaluate import SCHEMA_VERSION, evaluate_predictions
from scangen_bundle.measures.evaluate_embeddings import evaluate_embeddings
from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_measure import prediction_measures
from scangen_bundle.measures.prediction_statistic import PredictionStatistic
from scangen_bundle.measures.predictions import Predictions, check_predictions
from scangen_bundle.measures.ranking import auroc, average_precision, sensitivity_at, youden_threshold
from scangen_bundle.measures.specimen_spread import coefficient_of_variation, flip_rate, score_table

__all__ = [
    "SCHEMA_VERSION",
    "PredictionData",
    "PredictionStatistic",
    "Predictions",
    "auroc",
    "average_precision",
    "check_predictions",
    "coefficient_of_variation",
    "compare_predictions",
    "evaluate_embeddings",
    "evaluate_predictions",
    "flip_rate",
    "prediction_measures",
    "score_table",
    "sensitivity_at",
    "youden_threshold",
]
