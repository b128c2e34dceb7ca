"""Agreement beyond chance, which the kappas share."""

from __future__ import annotations

import numpy as np

from scangen_bundle.statistics.bootstrap import ratio


def beyond_chance(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """(observed - expected) / (1 - expected), NaN where chance alone agrees always."""
    room = 1 - expected
    return ratio(observed - expected, np.where(room > 1e-12, room, 0))
