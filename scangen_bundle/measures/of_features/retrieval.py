"""Top-k retrieval: is the same place of another scanner among the k nearest of all places of both?"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import PAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews, Places
from scangen_bundle.measures.mean_of_ratios import MeanOfRatios
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.paired_features import RETRIEVAL_KS, own_neighbours, retrieval_hits

KEY = "retrieval/top{}"


def _measure(k: int) -> FeatureMeasure:
    first = k == RETRIEVAL_KS[0]
    return FeatureMeasure(
        KEY.format(k),
        f"top-{k} retrieval",
        "higher",
        f"How often the same place of another scanner is among the {k} nearest of all places of both.",
        baseline="chance, k / (2 P - 1)",
        group=PAIRED,
        position=20 + k,
        overview=2 if first else 0,
        heatmap=first,
        scatter="robustness" if first else "",
    )


@feature_measure(*(_measure(k) for k in RETRIEVAL_KS))
def retrieval(features: FeatureViews) -> Measured:
    places = features.places
    ks = tuple(k for k in RETRIEVAL_KS if k < len(places))
    if not ks:
        raise UndefinedMeasure(f"there are only {len(places)} places")
    hits = pair_hits(places, ks, features.device)
    mean = np.mean(list(hits.values()), axis=0)
    ones = np.ones(len(places))
    names = places.pair_names
    statistics, baselines, pairs = [], {}, {}
    for column, k in enumerate(ks):
        key = KEY.format(k)
        statistics.append(MeanOfRatios(key, mean[:, column], ones, places.patient, places.patients, share=True))
        baselines[key] = k / (2 * len(places) - 1)
        pairs[key] = {names[pair]: float(values[:, column].mean()) for pair, values in hits.items()}
    return Measured(statistics, places.patients, rows=len(places), baselines=baselines, pairs=pairs)


def pair_hits(places: Places, ks: tuple[int, ...], device: str = "cpu") -> dict[tuple[int, int], np.ndarray]:
    """Hits [P, len(ks)], 0 to 1, of each pair of scanners, see `retrieval_hits`."""
    arrays = [np.ascontiguousarray(places.unit[:, scanner]) for scanner in range(len(places.scanners))]
    neighbours = [own_neighbours(array, max(ks), device=device) for array in arrays]
    hits = {}
    for a, b in places.pair_names:
        hits[a, b] = retrieval_hits(arrays[a], arrays[b], neighbours[a], neighbours[b], ks, device=device)
    return hits
