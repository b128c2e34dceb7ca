"""ICC(2,1) of the scores: two-way random effects, absolute agreement, single rater, over the specimens on every scanner.

P. Shrout, J. Fleiss, Psychological Bulletin 86, 1979.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.intraclass import intraclass_columns, intraclass_correlation
from scangen_bundle.measures.per_specimen import PerSpecimen
from scangen_bundle.measures.prediction_data import Specimens
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="icc",
    title="ICC(2,1)",
    better="higher",
    help="share of the scores' variance that is the specimen's, absolute agreement",
    baseline="no agreement: 0",
    chance=0.0,
    group=AGREEMENT,
    position=2,
    summary=("",),
)
class Icc(PerSpecimen):
    among = "complete"

    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        return intraclass_columns(specimens.scores, specimens.complete, "score")

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        return intraclass_correlation(sums, "score", len(specimens.scanners))
