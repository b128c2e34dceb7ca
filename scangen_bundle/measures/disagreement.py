"""Which specimens do the scanners disagree on? Arrays in, an order out.

Probabilities form a table [M specimens, S scanners, C classes] with gaps; several scans of a specimen on one scanner
count as their mean, as in the report's metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scangen_bundle.measures.specimen_spread import score_table, specimen_flips, specimen_spread

CLIP = 1e-6  # a probability of 0 or 1 has no finite logit


@dataclass(frozen=True, eq=False)
class Disagreement:
    """How much the scanners disagree on each specimen.

    Attributes:
        flips: [M] bool, the class differs between two of its scanners.
        spread: [M] standard deviation of the logit over its scanners, NaN with fewer than two.
        scanners: [M] number of scanners that have a probability.
    """

    flips: np.ndarray
    spread: np.ndarray
    scanners: np.ndarray

    def order(self) -> np.ndarray:
        """Positions [M] of the specimens: those that flip first, then by falling spread; those without a spread last."""
        position = np.arange(len(self.spread))
        spread = np.nan_to_num(self.spread, nan=-1.0)
        return np.lexsort((position, -spread, ~self.flips))


def probability_table(specimen: np.ndarray, scanner: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Probabilities [N, C] of scans as a table [M, S, C], NaN where there is no scan or no probability.

    Args:
        specimen, scanner: [N] positions from 0.
        probability: [N, C], NaN where a scan was not predicted.
    """
    shape = specimen.max() + 1, scanner.max() + 1
    predicted = np.isfinite(probability).all(axis=1)
    rows, columns = specimen[predicted], scanner[predicted]
    tables = []
    for score in probability[predicted].T:
        tables.append(score_table(rows, columns, score, shape))
    return np.stack(tables, axis=2)


def predicted_class(probability: np.ndarray, threshold: float | None) -> np.ndarray:
    """Class of each row [..., C] as float, NaN where it is not defined.

    With two classes it is class 1 from the threshold on, and undefined without a threshold; with more it is the most
    probable class.
    """
    defined = np.isfinite(probability).all(axis=-1)
    if probability.shape[-1] > 2:
        largest = np.nan_to_num(probability).argmax(axis=-1)
        return np.where(defined, largest, np.nan)
    if threshold is None:
        return np.full(defined.shape, np.nan)
    positive = probability[..., 1] >= threshold
    return np.where(defined, positive, np.nan)


def disagreement(table: np.ndarray, threshold: float | None) -> Disagreement:
    """Flips and spread of each specimen of a table [M, S, C].

    With two classes the spread is that of the logit of class 1; with more it is the largest of any class.
    """
    classes = predicted_class(table, threshold)
    scores = table[..., 1:] if table.shape[2] == 2 else table
    inside = np.clip(scores, CLIP, 1 - CLIP)
    logits = np.log(inside / (1 - inside))
    spreads = []
    for column in np.moveaxis(logits, 2, 0):
        spreads.append(specimen_spread(column)["sd"])
    return Disagreement(
        flips=specimen_flips(classes) == 1,
        spread=np.fmax.reduce(spreads),
        scanners=np.isfinite(table[..., 0]).sum(axis=1),
    )
