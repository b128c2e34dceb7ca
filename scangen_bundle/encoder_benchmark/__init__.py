"""How scanner-sensitive is each encoder."""

from scangen_bundle.encoder_benchmark.run import BenchmarkJob

__all__ = ["BenchmarkJob"]
