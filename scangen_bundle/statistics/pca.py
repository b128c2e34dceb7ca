"""Principal components."""

from __future__ import annotations

import numpy as np


def project_pca(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two directions of largest variance of vectors [n, D]: points [n, 2] and their shares of the variance [2]."""
    centred = np.asarray(vectors, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    total = (singular**2).sum()
    points = np.zeros((len(centred), 2))
    share = np.zeros(2)
    k = min(2, len(singular))
    points[:, :k] = left[:, :k] * singular[:k]
    share[:k] = singular[:k] ** 2 / total if total else 0.0
    return points, share
