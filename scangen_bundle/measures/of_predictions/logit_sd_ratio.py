"""SD of the logit within a specimen over the SD between specimens.

Within: the square root of the mean over specimens of the variance (ddof = 1) over their scanners. Between: the SD (ddof = 1)
over specimens of their mean logit. Both of specimens on at least two scanners; the logit is that of `logit_icc`, and with more
than two classes the ratio is the mean over the classes. Multiplying all logits by a number does not change it.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_specimen import PerSpecimen
from scangen_bundle.measures.prediction_data import Specimens
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.measures.specimen_spread import specimen_spread
from scangen_bundle.measures.weighted_sums import Sums, sample_variance
from scangen_bundle.statistics.bootstrap import ratio


@prediction_measure(
    key="logit_sd_ratio",
    title="SD ratio of the logit",
    better="lower",
    help="sd of the logit within a specimen over the sd between specimens; the scale of the scores plays no part",
    group=AGREEMENT,
    position=6,
    summary=("",),
)
class LogitSdRatio(PerSpecimen):
    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        mean = ratio(np.nansum(specimens.logits, axis=1), specimens.count)
        entering = specimens.several
        mean = mean - (mean[entering].mean() if entering.any() else 0.0)  # sums of squares keep their digits
        within = specimen_spread(specimens.logits)["sd"] ** 2
        return {"variance within": within, "mean logit": mean, "mean logit squared": mean**2}

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        count = sums["specimens"]
        within = ratio(sums["variance within"], count)
        between = sample_variance(count, sums["mean logit"], sums["mean logit squared"])
        between = np.where(between > 1e-20, between, np.nan)
        return np.sqrt(within / between)

    def reason(self) -> str:
        return "the specimens' logits do not vary"
