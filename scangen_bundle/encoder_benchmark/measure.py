"""All measures of one encoder's features: figures with intervals, baselines and reasons; scanners; scanner pairs; a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.encoder_benchmark.catalogue import KNOWN, MEASURES
from scangen_bundle.encoder_benchmark.clustering_measure import clustering_measure
from scangen_bundle.encoder_benchmark.confounded_training import drop_measures
from scangen_bundle.encoder_benchmark.downstream import HeadSettings, downstream_figures
from scangen_bundle.encoder_benchmark.entries import AT, Measured, entry, estimate
from scangen_bundle.encoder_benchmark.matching import shared_scanners
from scangen_bundle.encoder_benchmark.paired_measures import (
    Cka,
    CosineGap,
    Shift,
    Variance,
    retrieval,
    shuffled_places,
    shuffled_scanners,
    unit_places,
)
from scangen_bundle.encoder_benchmark.sources import EncoderFeatures
from scangen_bundle.encoder_benchmark.stain_pairs import slide_pairs, stain_measures
from scangen_bundle.encoder_benchmark.unpaired_measures import (
    INDICES,
    Points,
    index_measures,
    label_probe,
    scanner_measures,
)
from scangen_bundle.measures.paired_features import RETRIEVAL_KS, linear_cka
from scangen_bundle.report.figures import project_pca
from scangen_bundle.statistics.bootstrap import Statistic

MOST_PLACES = 8192  # that are paired, over all specimens
MOST_TILES, MOST_ALIGNED, MOST_FITTED, MOST_DRAWN = 1200, 1500, 480, 600
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
    head: HeadSettings | None = None,
    device: str = "cpu",
    robustness_k: int | None = None,
) -> dict[str, Any]:
    """Measure one encoder.

    Args:
        features: of the manifest's scans.
        manifest: see `cohort.load_manifest`.
        scanners: those that are paired, the reference first; None takes those that share most specimens.
        resamples: of the bootstrap over patients, who bring all of their specimens.
        seed: of every draw.
        head: of the downstream measure; None takes the default.
        device: for the head and the retrieval.
        robustness_k: a number of neighbours at which the indices are wanted besides `metrics.embedding.ROBUSTNESS_KS`.

    Returns:
        `figures`: {key: entry}, see `entries.entry` and `catalogue.KNOWN`;
        `scanners`: {key: {scanner: the same}}; `by_k`: {index: {k: the same}} and `best_k`, of which `settle_k` makes
        figures; `pairs`: {key: {"a | b": value}}; `map`: points of tiles; `level`; `counts`; None for what is undefined.
    """
    known = manifest[manifest["slide_id"].isin(features.tiles)]
    paired = pair_places(features, known, list(scanners or shared_scanners(known)))
    figures, pairs = _paired_figures(paired, resamples, seed, device)
    tiles, scans = tile_points(features, known, MOST_TILES, seed), scan_points(features, known)
    patients = int(scans.patient.max()) + 1
    neighbours = tile_points(features, known, None) if features.labelled_tiles else scans
    indices, best_k = index_measures(neighbours, patients, robustness_k)
    for points, measured in (
        (tiles, scanner_measures(tiles, patients, seed)),
        (scans, label_probe(scans, patients, seed)),
        (neighbours, indices),
        (scans, clustering_measure(scans, patients, seed)),
        (scans, drop_measures(scans, seed)),
    ):
        figures.update(estimate(measured, points.patient, resamples, seed))
    downstream, _ = downstream_figures(features.tiles, known, head or HeadSettings(), resamples, seed, device)
    figures.update(downstream)
    figures.update(_stain_figures(features, known, resamples, seed, device))
    names = {str(code): str(name) for code, name in enumerate(sorted(known["scanner"].unique()))}
    of_scanner, by_k = _details(figures, names)
    return {
        "figures": {key: figures[key] for key in KNOWN if key in figures},
        "scanners": of_scanner,
        "by_k": by_k,
        "best_k": best_k,
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


def _details(
    figures: Mapping[str, dict[str, Any]], scanners: Mapping[str, str]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Entries of keys `<measure>@<detail>`: by measure and scanner, and by index and number of neighbours."""
    of_scanner: dict[str, dict[str, Any]] = {}
    by_k: dict[str, dict[str, Any]] = {}
    for key, value in figures.items():
        name, _, detail = key.partition(AT)
        if detail and name in INDICES:
            by_k.setdefault(name, {})[detail] = value
        elif detail:
            of_scanner.setdefault(name, {})[scanners.get(detail, detail)] = value
    return of_scanner, by_k


def settle_k(results: Mapping[str, dict[str, Any]], fixed: int | None = None) -> None:
    """Give every encoder's figures the indices at one k: `fixed`, or the median of the encoders' best ones, as PathoROB does.

    Of an even number the lower of the middle two is taken. An encoder without that many neighbours has no index.

    Args:
        results: `measure`'s, by encoder; their figures are changed.
        fixed: one of `metrics.embedding.ROBUSTNESS_KS`.
    """
    best = sorted(result["best_k"] for result in results.values() if result["best_k"])
    for result in results.values():
        for name in INDICES:
            if not result["by_k"].get(name):
                continue  # there is a reason already
            k = fixed or best[(len(best) - 1) // 2]
            why = "as set" if fixed else "the median of the encoders' best ones"
            chosen = result["by_k"][name].get(str(k))
            if chosen is None:
                chosen = entry(reason=f"k = {k} is not among {', '.join(result['by_k'][name])}")
            result["figures"][name] = {**chosen, "note": f"k = {k}, {why}; this encoder's best is {result['best_k']}"}
        result["figures"] = {key: result["figures"][key] for key in KNOWN if key in result["figures"]}


def pair_places(features: EncoderFeatures, manifest: pd.DataFrame, scanners: list[str]) -> Paired:
    """Tiles of corresponding places where there are any, else means of scans, of specimens on all `scanners`.

    At most `MOST_PLACES` places, as many of each specimen, spread evenly.
    """
    nothing = np.empty((0, len(scanners), int(features.facts["dim"])), np.float32), np.empty(0, np.int64)
    if len(scanners) < 2:
        one = manifest["scanner"].nunique() < 2
        reason = "one scanner only" if one else "no specimen was scanned on two scanners"
        return Paired(*nothing, scanners, "none", reason)
    some = manifest[manifest["scanner"].isin(scanners)].drop_duplicates(["specimen_id", "scanner"])
    table = some.pivot(index="specimen_id", columns="scanner", values="slide_id").reindex(columns=scanners).dropna()
    if not len(table):
        return Paired(*nothing, scanners, "none", f"no specimen was scanned on all of {', '.join(scanners)}")
    patient = some.drop_duplicates("specimen_id").set_index("specimen_id")["patient_id"].loc[table.index]
    codes = np.unique(patient, return_inverse=True)[1]
    rows = [
        [features.tiles[slide_id] for slide_id in slides] if specimen in features.corresponding else []
        for specimen, slides in zip(table.index, table.to_numpy(), strict=True)
    ]
    tiled = [i for i, row in enumerate(rows) if row and len({len(values) for values in row}) == 1]
    if tiled:
        each = max(1, MOST_PLACES // len(tiled))
        places = [np.unique(np.linspace(0, len(rows[i][0]) - 1, each).astype(int)) for i in tiled]
        values = np.concatenate(
            [np.stack([one[some_of] for one in rows[i]], axis=1) for i, some_of in zip(tiled, places, strict=True)]
        )
        of = np.repeat(codes[tiled], [len(some_of) for some_of in places])
        return Paired(values, np.unique(of, return_inverse=True)[1], scanners, "tile")
    means = np.stack([[features.tiles[slide_id].mean(axis=0) for slide_id in slides] for slides in table.to_numpy()])
    return Paired(means, codes, scanners, "scan")


def _paired_figures(
    paired: Paired, resamples: int, seed: int, device: str
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, float]]]:
    if paired.reason or len(paired.values) < 2:
        reason = paired.reason or "one place only"
        return {key: entry(reason=reason) for key in PAIRED}, {}
    values, patient = paired.values, paired.patient
    generator = np.random.default_rng(seed)
    unit = unit_places(values)
    cosine = CosineGap(unit, patient)
    ks = tuple(k for k in RETRIEVAL_KS if k < len(values))
    found, accuracy = retrieval(unit, patient, ks, device)
    aligned, fitted = (_sample(len(values), most, generator) for most in (MOST_ALIGNED, MOST_FITTED))
    of_aligned = np.unique(patient[aligned], return_inverse=True)[1]
    cka = Cka(values[aligned], of_aligned)
    groups: list[tuple[list[Statistic], np.ndarray]] = [
        ([cosine, *found, Variance(values, patient)], patient),
        ([cka], of_aligned),
    ]
    reasons = {f"retrieval/top{k}": f"there are only {len(values)} places" for k in RETRIEVAL_KS if k not in ks}
    sample = shuffled_places(values[aligned], generator)
    baselines = {
        "cosine/gap": 0.0,
        **{f"retrieval/top{k}": k / (2 * len(values) - 1) for k in ks},
        "cka": linear_cka(sample[:, 0], sample[:, 1]),
        **_observed(Variance(sample, of_aligned), of_aligned),
    }
    by_chance = _observed(Variance(shuffled_scanners(values[aligned], generator), of_aligned), of_aligned)
    baselines["variance/scanner"] = by_chance["variance/scanner"]
    of_fitted = np.unique(patient[fitted], return_inverse=True)[1]
    if of_fitted.max() > 0:
        groups.append(([Shift(values[fitted], of_fitted)], of_fitted))
        two = shuffled_places(values[fitted, :2], generator)  # any pair of scanners shows what unrelated places give
        baselines.update(_observed(Shift(two, of_fitted), of_fitted))
    else:
        reasons.update({key: "one patient only: maps are tested on other patients" for key in PAIRED if "shift" in key})
    figures = {key: entry(reason=reason) for key, reason in reasons.items()}
    for statistics, codes in groups:
        figures.update(estimate(Measured(statistics, baselines), codes, resamples, seed))
    figures["cosine/same_tissue"]["baseline"] = figures.pop("cosine/other_tissue")["value"]
    names = {(a, b): f"{paired.scanners[a]} | {paired.scanners[b]}" for a, b in combinations(range(values.shape[1]), 2)}
    ones = np.ones((1, int(of_aligned.max()) + 1))
    pairs = {
        "cosine/same_tissue": {names[pair]: value for pair, value in cosine.pairs.items()},
        "cka": {names[pair]: float(value[0]) for pair, value in cka.pair_values(ones).items()},
        **{f"retrieval/top{k}": {names[p]: float(v[i]) for p, v in accuracy.items()} for i, k in enumerate(ks)},
    }
    return figures, pairs


def _stain_figures(
    features: EncoderFeatures, manifest: pd.DataFrame, resamples: int, seed: int, device: str
) -> dict[str, dict[str, Any]]:
    """The figures of pairs of slides that differ in scanner, stain or both; {} where all slides are not of one frame."""
    if not features.one_frame or "stain" not in manifest or manifest["stain"].nunique() < 2:
        return {}
    slides = [features.tiles[slide_id] for slide_id in manifest["slide_id"]]
    pairs = slide_pairs(slides, manifest["stain"].tolist(), manifest["scanner"].tolist(), device)
    return estimate(*stain_measures(pairs, slides), resamples, seed)


def _observed(statistic: Statistic, patient: np.ndarray) -> dict[str, float]:
    """The figures of the data themselves."""
    values = statistic(np.ones((1, int(patient.max()) + 1), dtype=np.int32))
    return {key: float(value[0]) for key, value in values.items()}


def scan_points(features: EncoderFeatures, manifest: pd.DataFrame) -> Points:
    """The mean vector of each scan; patients, specimens and scanners are numbered in the order of their names."""
    table = _codes(manifest)
    means = np.stack([features.tiles[slide_id].mean(axis=0) for slide_id in manifest["slide_id"]])
    return Points(means, *(table[name] for name in ("patient_id", "specimen_id", "scanner", "label")))


def tile_points(features: EncoderFeatures, manifest: pd.DataFrame, most: int | None, seed: int = 0) -> Points:
    """At most about `most` tiles, equally many of each scan where there are as many; None: all."""
    generator = np.random.default_rng(seed)
    each = sum(map(len, features.tiles.values())) if most is None else max(1, most // max(1, len(manifest)))
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
    """Two principal components of some tiles, with scanner, specimen and label (-1 = unknown)."""
    rows = _sample(len(tiles.values), MOST_DRAWN, np.random.default_rng(seed))
    points, share = project_pca(tiles.values[rows])
    scanners, specimens = (np.unique(manifest[name]) for name in ("scanner", "specimen_id"))
    return {
        "x": points[:, 0].round(4).tolist(),
        "y": points[:, 1].round(4).tolist(),
        "share": share.tolist(),
        "scanner": scanners[tiles.scanner[rows]].tolist(),
        "specimen": specimens[tiles.specimen[rows]].tolist(),
        "label": tiles.label[rows].tolist(),
    }
