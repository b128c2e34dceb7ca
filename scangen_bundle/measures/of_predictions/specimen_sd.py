"""SD (ddof = 1) over specimens of their mean score: how far the network tells specimens apart at all.

Where it is near 0 all specimens get one score, and agreement between scanners means nothing.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_specimen import PerSpecimen
from scangen_bundle.measures.prediction_data import Specimens
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums, sample_variance
from scangen_bundle.statistics.bootstrap import ratio


@prediction_measure(
    key="specimen_sd",
    title="SD between specimens",
    better="higher",
    help="sd (ddof 1) of the specimens' mean scores; near 0 all specimens score alike and agreement means nothing",
    group=AGREEMENT,
    position=3,
    headline=("",),
)
class SpecimenSd(PerSpecimen):
    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        mean = ratio(np.nansum(specimens.scores, axis=1), specimens.count)
        entering = specimens.several
        mean = mean - (mean[entering].mean() if entering.any() else 0.0)  # sums of squares keep their digits
        return {"mean score": mean, "mean score squared": mean**2}

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        count = sums["specimens"]
        variance = sample_variance(count, sums["mean score"], sums["mean score squared"])
        return np.sqrt(np.maximum(variance, 0))

    def reason(self) -> str:
        return "one specimen only was scanned on two scanners"
