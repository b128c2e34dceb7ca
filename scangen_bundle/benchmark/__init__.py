"""How scanner-sensitive is each encoder."""

from scangen_bundle.benchmark.matching import Matching, MatchSettings, match_specimens
from scangen_bundle.benchmark.registration import Registration, RegistrationError, register
from scangen_bundle.benchmark.run import BenchmarkJob

__all__ = [
    "BenchmarkJob",
    "MatchSettings",
    "Matching",
    "Registration",
    "RegistrationError",
    "match_specimens",
    "register",
]
