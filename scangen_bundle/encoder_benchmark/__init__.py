"""How scanner-sensitive is each encoder."""

from scangen_bundle.encoder_benchmark.run import BenchmarkJob
from scangen_bundle.encoder_benchmark.settings import MeasureSettings, TileSettings

__all__ = ["BenchmarkJob", "MeasureSettings", "TileSettings"]
