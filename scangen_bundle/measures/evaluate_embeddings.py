"""Measures of a network's slide embeddings: those of an encoder's features that make sense there, one vector per scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from scangen_bundle.measures.evaluate_features import evaluate_features
from scangen_bundle.measures.feature_measure import feature_measures
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.neighbours import finite_unit_rows
from scangen_bundle.statistics.estimate import Estimate

COLOUR_SUFFIX = "_colour"


def evaluate_embeddings(
    embeddings: np.ndarray,
    patient: Sequence[str] | np.ndarray,
    specimen: Sequence[str] | np.ndarray,
    scanner: Sequence[str] | np.ndarray,
    label: np.ndarray,
    *,
    colours: np.ndarray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Estimates by key, with 95 % intervals over patients.

    The keys are those of the registered measures `of_embeddings`. Scanner probes of the scans' colours stand beside those of
    the embeddings, under the same key with `COLOUR_SUFFIX`. Measures at several numbers of neighbours are those at the best
    one, which their note says.

    Args:
        embeddings: [N, E].
        patient, specimen, scanner: [N] names.
        label: [N] int64, -1 for unlabelled.
        colours: [N, F] colour statistics of the same scans.
        resamples, seed: of the intervals.

    Raises:
        ValueError: an embedding is not finite, or lengths differ.
    """
    columns = [embeddings, patient, specimen, scanner, label]
    if colours is not None:
        columns.append(colours)
    if len({len(column) for column in columns}) > 1:
        raise ValueError("embeddings, names, labels and colours must have one row per scan each")
    finite_unit_rows(embeddings)
    scans = pd.DataFrame({"patient_id": patient, "specimen_id": specimen, "scanner": scanner, "label": label})
    scans.insert(0, "slide_id", [str(row) for row in range(len(scans))])
    estimates = _evaluate(embeddings, scans, resamples, seed, colours=False)
    if colours is not None:
        of_colours = _evaluate(colours, scans, resamples, seed, colours=True)
        for key, estimate in of_colours.items():
            estimates[key + COLOUR_SUFFIX] = estimate
    return estimates


def _evaluate(
    vectors: np.ndarray, scans: pd.DataFrame, resamples: int, seed: int, *, colours: bool
) -> dict[str, Estimate]:
    """Estimates of one vector per scan; of colours only the measures that colours stand beside."""
    measures = [
        measure
        for measure in feature_measures().values()
        if measure.of_embeddings and (measure.beside_colour or not colours)
    ]
    tiles = dict(zip(scans["slide_id"], vectors[:, None], strict=True))
    features = FeatureViews(tiles, scans, seed=seed)
    result = evaluate_features(features, resamples, measures)
    estimates = {}
    for measure in measures:
        if measure.by == "k" and measure.key in result.details:
            k = features.neighbours.best_k
            at_best_k = result.details[measure.key][str(k)]
            estimates[measure.key] = replace(at_best_k, note=f"k = {k}")
        elif measure.key in result.values:
            estimates[measure.key] = result.values[measure.key]
    return estimates
