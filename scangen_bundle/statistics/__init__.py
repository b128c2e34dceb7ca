"""Numbers: bootstrap over patients, comparison, exact intervals; arrays in, numbers out."""

from scangen_bundle.statistics.bootstrap import Interval, PatientBootstrap
from scangen_bundle.statistics.compare import holm
from scangen_bundle.statistics.delong import delong_interval, delong_test

__all__ = ["Interval", "PatientBootstrap", "delong_interval", "delong_test", "holm"]
