"""How scanner-sensitive is each encoder."""

from scangen_bundle.encoder_benchmark.run import BenchmarkJob
from scangen_bundle.encoder_benchmark.settings import MeasureSettings, TileSettings
from scangen_bundle.encoder_benchmark.tracking import TrackingSettings

__all__ = ["BenchmarkJob", "MeasureSettings", "TileSettings", "TrackingSettings"]
