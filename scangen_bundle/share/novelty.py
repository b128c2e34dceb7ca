"""How far a slide's embedding is from those the model was validated on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scangen_bundle.share.conformal import conformal_quantile

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Novelty:
    """Mahalanobis distance to the embeddings of validation (K. Lee et al., NeurIPS 2018, here with one Gaussian).

    Attributes:
        mean: [E].
        precision: [E, E], inverse of the covariance after O. Ledoit and M. Wolf (J. Multivar. Anal. 88, 2004).
        threshold: a distance above it is far from training.
    """

    mean: np.ndarray
    precision: np.ndarray
    threshold: float

    def score(self, embedding: np.ndarray) -> np.ndarray:
        """Distances [N] of embeddings [N, E]."""
        return _distance(embedding, self.mean, self.precision)


def _fit(embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.covariance import LedoitWolf

    model = LedoitWolf().fit(embedding)
    return model.location_, model.precision_


def _distance(embedding: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    gap = np.asarray(embedding, dtype=np.float64) - mean
    return np.sqrt(np.maximum(np.einsum("ne,ef,nf->n", gap, precision, gap), 0.0))


def held_out_scores(embedding: np.ndarray, scanner: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Distance [N] of each scan to a fit that saw neither its scanner nor its patient; NaN where nothing is left to fit.

    That is what a scan of a scanner that is new, but fit for use, scores. With one scanner only the patient is held out.

    Args:
        embedding: [N, E].
        scanner: [N] names.
        patient: [N] ids.
    """
    score = np.full(len(embedding), np.nan)
    patients = np.unique(patient)
    fold = np.searchsorted(patients, patient) % min(FOLDS, len(patients))
    scanners = np.unique(scanner)
    for name in scanners:
        for part in np.unique(fold):
            asked = (scanner == name) & (fold == part)
            rest = (fold != part) & ((scanner != name) | (len(scanners) == 1))
            if asked.any() and rest.sum() > 1:
                score[asked] = _distance(embedding[asked], *_fit(embedding[rest]))
    return score


def fit_novelty(embedding: np.ndarray, scanner: np.ndarray, patient: np.ndarray, level: float = 0.95) -> Novelty:
    """Fit on embeddings [N, E], with the threshold that the share `level` of held-out scanners' scans stays below.

    The threshold is the largest held-out score where there are too few scans for the level.
    """
    held_out = held_out_scores(embedding, scanner, patient)
    held_out = held_out[np.isfinite(held_out)]
    if not len(held_out):
        raise ValueError("at least two patients are needed to say what is far from training")
    quantile = conformal_quantile(held_out, level)
    mean, precision = _fit(embedding)
    return Novelty(mean, precision, quantile if np.isfinite(quantile) else float(held_out.max()))
