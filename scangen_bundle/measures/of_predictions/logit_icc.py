"""ICC(2,1) of the logit, log(p / (1 - p)) with p clipped to 1e-6 and 1 - 1e-6.

Unlike figures of the probability it does not change where all logits are multiplied by a number. With more than two classes
it is the mean over the classes' log-odds, each class against the rest.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.intraclass import intraclass_columns, intraclass_correlation
from scangen_bundle.measures.per_specimen import PerSpecimen
from scangen_bundle.measures.prediction_data import Specimens
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="logit_icc",
    title="ICC of the logit",
    better="higher",
    help="share of the logits' variance that is the specimen's, absolute agreement; the scale of the scores plays no part",
    baseline="no agreement: 0",
    chance=0.0,
    group=AGREEMENT,
    position=1,
    headline=("",),
)
class LogitIcc(PerSpecimen):
    among = "complete"

    def columns(self, specimens: Specimens) -> dict[str, np.ndarray]:
        return intraclass_columns(specimens.logits, specimens.complete, "logit")

    def value(self, specimens: Specimens, sums: Sums) -> np.ndarray:
        return intraclass_correlation(sums, "logit", len(specimens.scanners))
