"""Coefficient of variation of a specimen's scores over its scanners: sd / mean (ddof = 1), mean over specimens.

It is a ratio: near mean 0 small differences blow it up, and where all scores of a specimen are 0 it is undefined and the
specimen does not count. It depends on the scale of the scores: dividing the logits of a network by 4 lowers it without
changing a decision. Read it with `logit_icc` and `logit_sd_ratio`, which do not.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_specimen import PerSpecimen
from scangen_bundle.measures.prediction_data import Specimens
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio


@prediction_measure(
    key="cov",
    title="CoV",
    better="lower",
    help="sd / mean (ddof 1) of a specimen's scores over its scanners, mean over specimens",
    group=AGREEMENT,
    position=4,
    headline=("",),
)
class CoefficientOfVariation(PerSpecimen):
    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        cov = specimens.spread["cov"]
        return {"cov": np.nan_to_num(cov), "cov is defined": np.isfinite(cov)}

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        return ratio(sums["cov"], sums["cov is defined"])

    def reason(self) -> str:
        return "the mean score of every specimen is 0"
