"""One encoder's part of results.json: estimates of all measures, pairs of scanners, counts, and a map of tiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.encoder_benchmark.head import cross_validate
from scangen_bundle.encoder_benchmark.settings import MeasureSettings
from scangen_bundle.encoder_benchmark.sources import EncoderFeatures
from scangen_bundle.measures.evaluate_features import evaluate_features
from scangen_bundle.measures.feature_measure import feature_measures
from scangen_bundle.measures.feature_views import FeatureViews, sample_rows
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.statistics.estimate import Estimate, undefined
from scangen_bundle.statistics.pca import project_pca

MOST_DRAWN = 600  # tiles on the map


def measure_encoder(
    features: EncoderFeatures, manifest: pd.DataFrame, scanners: Sequence[str], settings: MeasureSettings, seed: int = 0
) -> dict[str, Any]:
    """Measure one encoder.

    Args:
        features: of the manifest's scans.
        manifest: see `cohort.load_manifest`.
        scanners: those that are paired, the reference first.
        settings: see there.
        seed: of every draw.

    Returns:
        The encoder's entry of results.json, see docs/encoder_benchmark.md, without `encoder`, `left_out` and `warnings`.
        Measures at several numbers of neighbours are in `by_k` only, until `settle_k`.
    """
    held_out = partial(cross_validate, settings=settings.head_settings, seed=seed, device=settings.device)
    views = FeatureViews(
        features.tiles,
        manifest,
        scanners,
        corresponding=features.corresponding,
        one_frame=features.one_frame,
        labelled_tiles=features.labelled_tiles,
        robustness_k=settings.robustness_k,
        held_out=held_out,
        seed=seed,
        device=settings.device,
    )
    result = evaluate_features(views, settings.resamples)
    measures = feature_measures()
    details: dict[str, dict[str, Any]] = {"scanner": {}, "k": {}}
    for key, estimates in result.details.items():
        details[measures[key].by][key] = _to_json(estimates)
    level, places = _pairing(views)
    return {
        "figures": _to_json(result.values),
        "scanners": details["scanner"],
        "by_k": details["k"],
        "best_k": _best_k(views),
        "pairs": {key: _finite(pairs) for key, pairs in result.pairs.items()},
        "map": _map(views),
        "level": level,
        "counts": _counts(views, places),
    }


def settle_k(results: Mapping[str, dict[str, Any]], fixed: int | None = None) -> None:
    """Give every encoder the measures of neighbours at one k: `fixed`, or the median of the encoders' best, as PathoROB does.

    With different k they do not compare. Of an even number of encoders the lower of the middle two is taken.

    Args:
        results: `measure_encoder`'s, by encoder; their `figures` are changed.
        fixed: the number of neighbours.
    """
    best = sorted(result["best_k"] for result in results.values() if result["best_k"])
    k = fixed or (best[(len(best) - 1) // 2] if best else 0)
    why = "as set" if fixed else "the median of the encoders' best ones"
    for result in results.values():
        figures = dict(result["figures"])
        for key, by_k in result["by_k"].items():
            chosen = by_k.get(str(k))
            if chosen is None:
                chosen = undefined(f"k = {k} is not among {', '.join(by_k)}").to_json()
            figures[key] = {**chosen, "note": f"k = {k}, {why}; this encoder's best is {result['best_k']}"}
        result["figures"] = {key: figures[key] for key in feature_measures() if key in figures}


def _to_json(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {key: value.to_json() for key, value in estimates.items()}


def _finite(pairs: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in pairs.items()}


def _best_k(views: FeatureViews) -> int | None:
    try:
        return views.neighbours.best_k
    except UndefinedMeasure:
        return None


def _pairing(views: FeatureViews) -> tuple[str, int]:
    """What is paired, and the number of places."""
    try:
        return views.places.level, len(views.places)
    except UndefinedMeasure:
        return "none", 0


def _counts(views: FeatureViews, places: int) -> dict[str, int]:
    scans = views.manifest
    return {
        "scans": len(views.tiles),
        "specimens": int(scans["specimen_id"].nunique()),
        "patients": int(scans["patient_id"].nunique()),
        "scanners": int(scans["scanner"].nunique()),
        "places": places,
        "tiles": sum(len(values) for values in views.tiles.values()),
    }


def _map(views: FeatureViews) -> dict[str, Any]:
    """Two principal components of some tiles, with scanner, specimen and label (-1 = unlabelled)."""
    tiles = views.sampled_tiles
    tiles = tiles[sample_rows(len(tiles), MOST_DRAWN, views.generator())]
    points, share = project_pca(tiles.values)
    scanners = np.unique(views.manifest["scanner"])
    specimens = np.unique(views.manifest["specimen_id"])
    return {
        "x": points[:, 0].round(4).tolist(),
        "y": points[:, 1].round(4).tolist(),
        "share": share.tolist(),
        "scanner": scanners[tiles.scanner].tolist(),
        "specimen": specimens[tiles.specimen].tolist(),
        "label": tiles.label.tolist(),
    }
