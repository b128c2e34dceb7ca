"""Glue to Ignite: ScanGen, per-scanner metrics, MLflow, predictions, report."""

from scangen_bundle.handlers.attention import AttentionMapHandler
from scangen_bundle.handlers.checkpoint import CheckpointHandler, WeightsLoader
from scangen_bundle.handlers.early_stop import EarlyStopHandler
from scangen_bundle.handlers.epoch import EpochSeedHandler
from scangen_bundle.handlers.finite import FiniteLossHandler
from scangen_bundle.handlers.gradient_clip import GradientClipHandler
from scangen_bundle.handlers.per_scanner import ModelChoiceMetric, PerScannerMetrics, is_better
from scangen_bundle.handlers.predictions import PredictionsHandler
from scangen_bundle.handlers.progress import ProgressHandler
from scangen_bundle.handlers.report import EvaluationHandler
from scangen_bundle.handlers.scangen import ScanGenLossHandler
from scangen_bundle.handlers.tracking import RunTracker, TrainingTracker

__all__ = [
    "AttentionMapHandler",
    "CheckpointHandler",
    "EarlyStopHandler",
    "EpochSeedHandler",
    "EvaluationHandler",
    "FiniteLossHandler",
    "GradientClipHandler",
    "ModelChoiceMetric",
    "PerScannerMetrics",
    "PredictionsHandler",
    "ProgressHandler",
    "RunTracker",
    "ScanGenLossHandler",
    "TrainingTracker",
    "WeightsLoader",
    "is_better",
]
