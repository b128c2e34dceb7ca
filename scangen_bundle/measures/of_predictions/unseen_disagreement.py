"""Share of the specimens whose class on an unseen scanner is not that of the scanners that were trained on.

The class of the trained scanners is that of the specimen's mean logit over them, so that a draw cannot be. There are values
only where scanners are unseen.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_measure import AGREEMENT, prediction_measure
from scangen_bundle.statistics.bootstrap import ratio

COUNTS = "specimens, and those that differ"


@prediction_measure(
    key="unseen_disagreement",
    title="Unseen disagreement",
    better="lower",
    help="share of the specimens whose class on a scanner that was not trained on differs from that on those that were",
    group=AGREEMENT,
    position=12,
)
class UnseenDisagreement:
    """A statistic of patients' weights with the keys `<key>/<scanner>` of each unseen scanner, and `/mean` over them.

    Args:
        data: the predictions. Labels play no part.

    Attributes:
        reasons, trials, patients, members: as of `PerScanner`.
    """

    key = "unseen_disagreement"

    def __init__(self, data: PredictionData) -> None:
        self._sums = data.sums
        self._scanners = [scanner for scanner in data.scanners if scanner in data.unseen]
        self.reasons: dict[str, str] = {}
        self.trials: dict[str, int] = {}
        self.patients: dict[str, int] = {}
        self.members = {f"{self.key}/{scanner}": [scanner] for scanner in self._scanners}
        if not self._scanners:
            return
        self.members[f"{self.key}/mean"] = self._scanners
        specimens = data.specimens[0]
        consensus = _consensus(data)
        for scanner in self._scanners:
            of_scanner = specimens.predicted[:, data.scanners.index(scanner)]
            rows = np.flatnonzero(np.isfinite(of_scanner) & np.isfinite(consensus))
            differs = (of_scanner[rows] != consensus[rows]).astype(np.float64)
            values = np.stack([np.ones(len(rows)), differs], axis=1)
            data.sums.add(("unseen", scanner), COUNTS, values, specimens.patient[rows])
            self._describe(scanner, len(np.unique(specimens.patient[rows])))
        self.trials[f"{self.key}/mean"] = min(self.trials.values())
        self.patients[f"{self.key}/mean"] = max(self.patients.values())

    def _describe(self, scanner: str, patients: int) -> None:
        key = f"{self.key}/{scanner}"
        self.trials[key] = self.patients[key] = patients
        if not patients:
            reason = f"no specimen was scanned on {scanner} and on a scanner that was trained on"
            self.reasons[key] = self.reasons[f"{self.key}/mean"] = reason

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Values [R] by key for integer weights [R, P]."""
        block = self._sums.block(weights)
        values = {}
        for scanner in self._scanners:
            count, different = block.get(("unseen", scanner), COUNTS)
            values[f"{self.key}/{scanner}"] = ratio(different, count)
        if values:
            values[f"{self.key}/mean"] = np.mean(list(values.values()), axis=0)
        return values


def _consensus(data: PredictionData) -> np.ndarray:
    """[M] class of each specimen's mean logit over the trained scanners, NaN where it has no scan there."""
    trained = [place for place, scanner in enumerate(data.scanners) if scanner not in data.unseen]
    logits = np.stack([specimens.logits[:, trained] for specimens in data.specimens])
    there = np.isfinite(logits[0])
    mean = ratio(np.where(there, logits, 0).sum(axis=2), there.sum(axis=1))
    if data.predictions.classes == 2:
        classes = (mean[0] >= logit(data.threshold)).astype(np.float64)
    else:
        classes = np.nan_to_num(mean).argmax(axis=0).astype(np.float64)
    return np.where(there.any(axis=1), classes, np.nan)
