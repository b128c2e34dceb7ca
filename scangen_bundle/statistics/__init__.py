"""Numbers: estimates, bootstrap over patients, comparison, exact intervals; arrays in, numbers out."""

from scangen_bundle.statistics.bootstrap import PatientBootstrap
from scangen_bundle.statistics.compare import holm
from scangen_bundle.statistics.delong import delong_interval, delong_test
from scangen_bundle.statistics.estimate import Estimate

__all__ = ["Estimate", "PatientBootstrap", "delong_interval", "delong_test", "holm"]
