"""All measures of one encoder's features: figures with intervals, baselines and reasons; scanner pairs; a map."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.benchmark.catalogue import MEASURES
from scangen_bundle.benchmark.matching import shared_scanners
from scangen_bundle.benchmark.paired_measures import Cka, CosineGap, Shift, Variance, retrieval, unit_places
from scangen_bundle.benchmark.sources import EncoderFeatures
from scangen_bundle.benchmark.unpaired_measures import Measured, Points, label_measures, scanner_measures
from scangen_bundle.metrics.bootstrap import PatientBootstrap, Statistic
from scangen_bundle.metrics.confounding_indices import cell_clustering_score
from scangen_bundle.metrics.paired_features import linear_cka
from scangen_bundle.report.figures import project_pca

FEWEST_PATIENTS = 3  # fewer say nothing about other patients
MOST_TILES, MOST_PLACES, MOST_FITTED, MOST_DRAWN = 1200, 1500, 800, 600
PAIRED = tuple(key for key in MEASURES if key.split("/")[0] in ("cosine", "retrieval", "cka", "variance", "shift"))


@dataclass(frozen=True)
class Paired:
    """x[p, s]: place p on scanner s.

    Attributes:
        values: float32 [P, S, D].
        patient: [P] int64 from 0.
        scanners: [S].
        level: `tile` or `scan` (means of scans).
        reason: why there are none; then the arrays are empty.
    """

    values: np.ndarray
    patient: np.ndarray
    scanners: list[str]
    level: str
    reason: str = ""


def measure(
    features: EncoderFeatures,
    manifest: pd.DataFrame,
    scanners: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure one encoder.

    Args:
        features: of the manifest's scans.
        manifest: see `cohort.load_manifest`.
        scanners: those that are paired, the reference first; None takes those that share most specimens.
        resamples: of the bootstrap over patients, who bring all of their specimens.
        seed: of every draw.

    Returns:
        `figures`: {key: {value, low, high, baseline, reason, interval_reason, note}}, see `catalogue.MEASURES`;
        `pairs`: {key: {"a | b": value}}; `map`: points of tiles; `level`; `counts`; None for what is undefined.
    """
    known = manifest[manifest["slide_id"].isin(features.tiles)]
    paired = pair_places(features, known, list(scanners or shared_scanners(known)))
    figures, pairs = _paired_figures(paired, resamples, seed)
    tiles = tile_points(features, known, MOST_TILES, seed)
    scans = scan_points(features, known)
    for points, of in ((tiles, scanner_measures), (scans, label_measures)):
        codes = np.unique(points.patient, return_inverse=True)[1].reshape(-1)
        points = Points(points.values, codes, points.specimen, points.scanner, points.label)
        measured = of(points, int(codes.max()) + 1 if len(codes) else 0, seed)
        figures.update(_estimate(measured, codes, resamples, seed))
    figures["clustering_score"] = _clustering(scans)
    return {
        "figures": {key: figures[key] for key in MEASURES if key in figures},
        "pairs": pairs,
        "map": _map(tiles, known, seed),
        "level": paired.level,
        "counts": {
            "scans": len(features.tiles),
            "specimens": int(known["specimen_id"].nunique()),
            "patients": int(known["patient_id"].nunique()),
            "scanners": int(known["scanner"].nunique()),
            "places": len(paired.values),
            "tiles": int(sum(len(values) for values in features.tiles.values())),
        },
    }


def pair_places(features: EncoderFeatures, manifest: pd.DataFrame, scanners: list[str]) -> Paired:
    """Tiles of corresponding places where there are any, else means of scans, of specimens on all `scanners`."""
    nothing = np.empty((0, len(scanners), int(features.facts["dim"])), np.float32), np.empty(0, np.int64)
    if len(scanners) < 2:
        one = manifest["scanner"].nunique() < 2
        reason = "one scanner only" if one else "no specimen was scanned on two scanners"
        return Paired(*nothing, scanners, "none", reason)
    some = manifest[manifest["scanner"].isin(scanners)].drop_duplicates(["specimen_id", "scanner"])
    table = some.pivot(index="specimen_id", columns="scanner", values="slide_id")[list(scanners)].dropna()
    if not len(table):
        return Paired(*nothing, scanners, "none", f"no specimen was scanned on all of {', '.join(scanners)}")
    patient = some.drop_duplicates("specimen_id").set_index("specimen_id")["patient_id"].loc[table.index]
    codes = np.unique(patient, return_inverse=True)[1]
    rows = [
        [features.tiles[slide_id] for slide_id in slides] if specimen in features.corresponding else None
        for specimen, slides in zip(table.index, table.to_numpy(), strict=True)
    ]
    tiled = [i for i, row in enumerate(rows) if row is not None and len({len(values) for values in row}) == 1]
    if tiled:
        values = np.concatenate([np.stack(rows[i] or [], axis=1) for i in tiled])
        repeats = [len((rows[i] or [])[0]) for i in tiled]
        return Paired(values, np.unique(np.repeat(codes[tiled], repeats), return_inverse=True)[1], scanners, "tile")
    means = np.stack([[features.tiles[slide_id].mean(axis=0) for slide_id in slides] for slides in table.to_numpy()])
    return Paired(means, codes, scanners, "scan")


def _paired_figures(
    paired: Paired, resamples: int, seed: int
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, float]]]:
    if paired.reason or len(paired.values) < 2:
        reason = paired.reason or "one place only"
        return {key: _entry(math.nan, reason=reason) for key in PAIRED}, {}
    values, patient = paired.values, paired.patient
    generator = np.random.default_rng(seed)
    unit = unit_places(values)
    cosine = CosineGap(unit, patient)
    ks = tuple(k for k in (1, 3, 5, 10) if k < len(values))
    found, accuracy = retrieval(unit, patient, ks)
    aligned, fitted = (_sample(len(values), most, generator) for most in (MOST_PLACES, MOST_FITTED))
    of_aligned = np.unique(patient[aligned], return_inverse=True)[1]
    cka = Cka(values[aligned], of_aligned)
    groups: list[tuple[list[Statistic], np.ndarray]] = [
        ([cosine, *found, Variance(values, patient)], patient),
        ([cka], of_aligned),
    ]
    reasons = {f"retrieval/top{k}": f"there are only {len(values)} places" for k in (1, 3, 5, 10) if k not in ks}
    of_fitted = np.unique(patient[fitted], return_inverse=True)[1]
    if of_fitted.max() > 0:
        groups.append(([Shift(values[fitted], of_fitted)], of_fitted))
    else:
        reasons.update({key: "one patient only: maps are tested on other patients" for key in PAIRED if "shift" in key})
    shuffled = generator.permutation(len(aligned))
    sample = values[aligned]
    baselines = {
        "cosine/gap": 0.0,
        "variance/scanner": 0.0,
        **{f"retrieval/top{k}": k / (2 * len(values) - 1) for k in ks},
        "cka": linear_cka(sample[:, 0], sample[shuffled, 1]),
    }
    figures = {key: _entry(math.nan, reason=reason) for key, reason in reasons.items()}
    for statistics, codes in groups:
        figures.update(_estimate(Measured(statistics, baselines, {}, {}), codes, resamples, seed))
    figures["cosine/same_tissue"]["baseline"] = figures.pop("cosine/other_tissue")["value"]
    names = {(a, b): f"{paired.scanners[a]} | {paired.scanners[b]}" for a, b in combinations(range(values.shape[1]), 2)}
    ones = np.ones((1, int(of_aligned.max()) + 1))
    pairs = {
        "cosine/same_tissue": {names[pair]: value for pair, value in cosine.pairs.items()},
        "cka": {names[pair]: float(value[0]) for pair, value in cka.pair_values(ones).items()},
        **{f"retrieval/top{k}": {names[p]: float(v[i]) for p, v in accuracy.items()} for i, k in enumerate(ks)},
    }
    return figures, pairs


def _estimate(measured: Measured, patient: np.ndarray, resamples: int, seed: int) -> dict[str, dict[str, Any]]:
    """Entries of all figures of some statistics, and of those that are undefined."""
    entries = {key: _entry(math.nan, reason=reason) for key, reason in measured.reasons.items()}
    if not measured.statistics:
        return entries
    patients = int(patient.max()) + 1
    enough = patients >= FEWEST_PATIENTS
    result = PatientBootstrap(np.zeros(patients, np.int64), resamples if enough else 0, seed, jackknife=False).run(
        measured.statistics, len(patient)
    )
    for key, value in result.observed.items():
        interval = result.interval(key)
        reason = "" if math.isfinite(value) else result.reasons.get(key, "not defined on these data")
        why = interval.reason if enough else f"{patients} patients, an interval needs {FEWEST_PATIENTS}"
        entries[key] = _entry(
            value,
            interval.low,
            interval.high,
            measured.baselines.get(key, math.nan),
            reason,
            why,
            measured.notes.get(key, ""),
        )
    return entries


def _entry(
    value: float,
    low: float = math.nan,
    high: float = math.nan,
    baseline: float = math.nan,
    reason: str = "",
    interval_reason: str = "",
    note: str = "",
) -> dict[str, Any]:
    numbers = {"value": value, "low": low, "high": high, "baseline": baseline}
    plain = {name: float(number) if math.isfinite(number) else None for name, number in numbers.items()}
    return {**plain, "reason": reason, "interval_reason": interval_reason, "note": note}


def _clustering(scans: Points) -> dict[str, Any]:
    labelled = scans[np.flatnonzero(scans.label >= 0)]
    if len(np.unique(labelled.label)) < 2 or len(np.unique(labelled.scanner)) < 2:
        return _entry(math.nan, reason="it needs two labels and two scanners")
    score, cells = cell_clustering_score(labelled.values, labelled.label, labelled.scanner, most_clusters=5, repeats=5)
    if not cells:
        return _entry(math.nan, reason="no two labels and two scanners have scans of every combination")
    why = "clusters are not resampled"
    return _entry(score, baseline=0.0, interval_reason=why, note=f"{cells} cells of two labels and two scanners")


def scan_points(features: EncoderFeatures, manifest: pd.DataFrame) -> Points:
    """The mean vector of each scan."""
    table = _codes(manifest)
    means = np.stack([features.tiles[slide_id].mean(axis=0) for slide_id in manifest["slide_id"]])
    return Points(means, *(table[name] for name in ("patient_id", "specimen_id", "scanner", "label")))


def tile_points(features: EncoderFeatures, manifest: pd.DataFrame, most: int, seed: int = 0) -> Points:
    """At most about `most` tiles, equally many of each scan where there are as many."""
    generator = np.random.default_rng(seed)
    each = max(1, most // max(1, len(manifest)))
    rows, owner = [], []
    for position, slide_id in enumerate(manifest["slide_id"]):
        values = features.tiles[slide_id]
        picked = _sample(len(values), each, generator)
        rows.append(values[picked])
        owner.append(np.full(len(picked), position))
    table, of = _codes(manifest), np.concatenate(owner)
    return Points(
        np.concatenate(rows), *(table[name][of] for name in ("patient_id", "specimen_id", "scanner", "label"))
    )


def _codes(manifest: pd.DataFrame) -> Mapping[str, np.ndarray]:
    codes = {
        name: np.unique(manifest[name], return_inverse=True)[1] for name in ("patient_id", "specimen_id", "scanner")
    }
    return {**codes, "label": manifest["label"].to_numpy()}


def _sample(count: int, most: int, generator: np.random.Generator) -> np.ndarray:
    return np.arange(count) if count <= most else np.sort(generator.choice(count, most, replace=False))


def _map(tiles: Points, manifest: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Two principal components of some tiles, with scanner and specimen."""
    rows = _sample(len(tiles.values), MOST_DRAWN, np.random.default_rng(seed))
    points, share = project_pca(tiles.values[rows])
    scanners, specimens = (np.unique(manifest[name]) for name in ("scanner", "specimen_id"))
    return {
        "x": points[:, 0].round(4).tolist(),
        "y": points[:, 1].round(4).tolist(),
        "share": share.tolist(),
        "scanner": scanners[tiles.scanner[rows]].tolist(),
        "specimen": specimens[tiles.specimen[rows]].tolist(),
    }
