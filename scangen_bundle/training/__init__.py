"""Glue to Ignite: handlers of the bundle's trainer and evaluator."""

from scangen_bundle.training.attention import AttentionMapHandler
from scangen_bundle.training.checkpoint import CheckpointHandler, WeightsLoader
from scangen_bundle.training.early_stop import EarlyStopHandler
from scangen_bundle.training.embeddings import EmbeddingsHandler
from scangen_bundle.training.epoch import EpochSeedHandler
from scangen_bundle.training.finite import FiniteLossHandler
from scangen_bundle.training.gradient_clip import GradientClipHandler
from scangen_bundle.training.handlers import HandlerList
from scangen_bundle.training.method import MethodHandler
from scangen_bundle.training.per_scanner import ModelChoiceMetric, PerScannerMetrics, is_better
from scangen_bundle.training.predictions import PredictionsHandler
from scangen_bundle.training.processes import default_device, end_processes, place_network, start_processes
from scangen_bundle.training.progress import ProgressHandler
from scangen_bundle.training.tracking import TrainingTracker
from scangen_bundle.training.validation import ValidationHandler

__all__ = [
    "AttentionMapHandler",
    "CheckpointHandler",
    "EarlyStopHandler",
    "EmbeddingsHandler",
    "EpochSeedHandler",
    "FiniteLossHandler",
    "GradientClipHandler",
    "HandlerList",
    "MethodHandler",
    "ModelChoiceMetric",
    "PerScannerMetrics",
    "PredictionsHandler",
    "ProgressHandler",
    "TrainingTracker",
    "ValidationHandler",
    "WeightsLoader",
    "default_device",
    "end_processes",
    "is_better",
    "place_network",
    "start_processes",
]
