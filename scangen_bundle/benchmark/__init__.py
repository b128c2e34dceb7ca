"""How scanner-sensitive is each encoder."""

from scangen_bundle.benchmark.run import BenchmarkJob

__all__ = ["BenchmarkJob"]
