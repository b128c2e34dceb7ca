"""Which specimens do the scanners disagree on? Arrays in, an order out.

Probabilities form a table [M specimens, S scanners, C classes] with gaps; several scans of a specimen on one scanner
count as their mean, as in the report's metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scangen_bundle.measures.agreement import score_table, specimen_flips, specimen_spread

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


def probability_table(specimen: np.ndarray, scanner: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Probabilities [N, C] of scans as a table [M, S, C], NaN where there is no scan or no probability.

    Args:
        specimen, scanner: [N] positions from 0.
        probability: [N, C], NaN where a scan was not predicted.
    """
    there = np.isfinite(probability).all(axis=1)
    shape = int(specimen.max(initial=-1)) + 1, int(scanner.max(initial=-1)) + 1
    columns = [score_table(specimen[there], scanner[there], column[there], shape) for column in probability.T]
    return np.stack(columns, axis=2)


def predicted_class(probability: np.ndarray, threshold: float | None) -> np.ndarray:
    """Class of each row [..., C] as float, NaN where it is not defined.

    With two classes it is class 1 from the threshold on, and undefined without a threshold; with more it is the most
    probable class.
    """
    there = np.isfinite(probability).all(axis=-1)
    if probability.shape[-1] > 2:
        classes = np.nan_to_num(probability).argmax(axis=-1).astype(np.float64)
        return np.where(there, classes, np.nan)
    if threshold is None:
        return np.full(there.shape, np.nan)
    return np.where(there, probability[..., 1] >= threshold, np.nan)


def disagreement(table: np.ndarray, threshold: float | None) -> Disagreement:
    """Flips and spread of each specimen of a table [M, S, C].

    With two classes the spread is that of the logit of class 1; with more it is the largest of any class.
    """
    flips = specimen_flips(predicted_class(table, threshold)) == 1
    inside = np.clip(table[..., 1:] if table.shape[2] == 2 else table, CLIP, 1 - CLIP)
    logits = np.log(inside / (1 - inside))
    spreads = [specimen_spread(logits[..., column])["sd"] for column in range(logits.shape[2])]
    return Disagreement(flips, np.fmax.reduce(spreads), np.isfinite(table[..., 0]).sum(axis=1))


def order_by_disagreement(found: Disagreement) -> np.ndarray:
    """Positions [M] of the specimens: those that flip first, then by falling spread; those without a spread last."""
    spread = np.nan_to_num(found.spread, nan=-1.0)
    return np.lexsort((np.arange(len(spread)), -spread, ~found.flips))
