"""Pairs of slides grouped by what differs, scanner, stain or both: the leaderboard of plism-benchmark.

All slides are registered to one, so that place i is the same tissue on every slide, whatever stain and scanner. Of every
pair of slides there are the mean cosine of the same place and the top-k accuracy of finding it (`metrics.paired_features`).
The leaderboard's number is the mean of four medians: cosine over all pairs, and top-10 accuracy over the pairs that differ
in scanner, in stain, and in both (github.com/owkin/plism-benchmark).

Intervals resample the stains, each a glass on all scanners: a pair counts with the product of its stains' weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scangen_bundle.measures.feature_measure import STAINS, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.measure import NotApplicable
from scangen_bundle.measures.paired_features import (
    RETRIEVAL_KS,
    own_neighbours,
    paired_cosine,
    retrieval_hits,
    unit_rows,
    unpaired_cosine,
)
from scangen_bundle.progress import with_bar

ALL, INTER_SCANNER, INTER_STAINING, BOTH = ("all", "inter_scanner", "inter_staining", "both")
MEDIANS = {  # key: (column, group)
    "stain_pairs/cosine_all": ("cosine", ALL),
    "stain_pairs/top10_inter_scanner": ("top10", INTER_SCANNER),
    "stain_pairs/top10_inter_staining": ("top10", INTER_STAINING),
    "stain_pairs/top10_both": ("top10", BOTH),
}
LEADERBOARD = "stain_pairs/leaderboard"
PUBLISHED_PLACES = 8139
CHANCE = "k / (2 P - 1)"


def _top10(key: str, title: str, help: str, position: int) -> FeatureMeasure:
    return FeatureMeasure(key, title, "higher", help, baseline=CHANCE, group=STAINS, position=position)


@feature_measure(
    FeatureMeasure(
        LEADERBOARD,
        "PLISM number",
        "higher",
        "Mean of the four medians beside it, the number of plism-benchmark's leaderboard.",
        baseline=f"chance: other tissue's cosine, {CHANCE}",
        group=STAINS,
        position=1,
    ),
    FeatureMeasure(
        "stain_pairs/cosine_all",
        "cosine, all pairs",
        "",
        "Median over all pairs.",
        baseline="different tissue on one slide",
        group=STAINS,
        position=2,
    ),
    _top10("stain_pairs/top10_inter_scanner", "top-10, other scanner", "Median over pairs of one stain.", 3),
    _top10("stain_pairs/top10_inter_staining", "top-10, other stain", "Median over pairs of one scanner.", 4),
    _top10("stain_pairs/top10_both", "top-10, both differ", "Median over pairs that share neither.", 5),
)
def stain_pairs(features: FeatureViews) -> Measured:
    manifest = features.manifest
    if not features.one_frame or "stain" not in manifest or manifest["stain"].nunique() < 2:
        raise NotApplicable("slides of several stains are not registered to one")
    slides = [features.tiles[slide_id] for slide_id in manifest["slide_id"]]
    pairs = slide_pairs(slides, manifest["stain"].tolist(), manifest["scanner"].tolist(), features.device)
    return measure_pairs(pairs, slides)


def measure_pairs(pairs: pd.DataFrame, slides: Sequence[np.ndarray]) -> Measured:
    """The medians of `slide_pairs` with baselines and notes; the stains are what is resampled.

    Args:
        pairs: of all of these slides.
        slides: each [P, D]; the cosine of different tissue on one slide is their median one.
    """
    stains = sorted({*pairs["stain_a"], *pairs["stain_b"]})
    places = len(slides[0])
    cosines = [unpaired_cosine(unit_rows(slide)) for slide in slides]
    other_tissue = float(np.median(cosines))
    chance = 10 / (2 * places - 1)
    baselines = {}
    for key, (column, _) in MEDIANS.items():
        baselines[key] = other_tissue if column == "cosine" else chance
    baselines[LEADERBOARD] = float(np.mean(list(baselines.values())))
    note = f"{len(pairs):,} pairs of {len(slides)} slides, {places:,} places"
    if places != PUBLISHED_PLACES:
        note += f"; the published leaderboard has {PUBLISHED_PLACES:,}, and fewer are easier to tell apart"
    return Measured(
        [PairMedians(pairs, stains)], len(stains), rows=len(pairs), baselines=baselines, notes={LEADERBOARD: note}
    )


def slide_pairs(
    slides: Sequence[np.ndarray], stain: Sequence[str], scanner: Sequence[str], device: str = "cpu"
) -> pd.DataFrame:
    """One row per pair of slides: `stain_a, stain_b, scanner_a, scanner_b, group, cosine, top1, top3, top5, top10`.

    The neighbours of a slide's places on the slide itself are found once and serve all of its pairs.

    Args:
        slides: each [P, D], row i of all from one place.
        stain, scanner: of each slide.
        device: for the products.
    """
    ks = tuple(k for k in RETRIEVAL_KS if k < len(slides[0]))
    cosines = [own_neighbours(unit_rows(slide), max(ks), device=device) for slide in slides]
    rows = []
    for a in with_bar(range(len(slides)), "pairs of slides"):
        first = unit_rows(slides[a])
        for b in range(a + 1, len(slides)):
            second = unit_rows(slides[b])
            hits = retrieval_hits(first, second, cosines[a], cosines[b], ks, device=device).mean(axis=0)
            rows.append(
                {
                    "stain_a": stain[a],
                    "stain_b": stain[b],
                    "scanner_a": scanner[a],
                    "scanner_b": scanner[b],
                    "group": _group(stain[a] == stain[b], scanner[a] == scanner[b]),
                    "cosine": float(paired_cosine(first, second).mean()),
                    **{f"top{k}": float(hit) for k, hit in zip(ks, hits, strict=True)},
                }
            )
    return pd.DataFrame(rows)


def _group(same_stain: bool, same_scanner: bool) -> str:
    if same_stain:
        return INTER_SCANNER
    return INTER_STAINING if same_scanner else BOTH


class PairMedians:
    """The medians and their mean as a statistic of the stains' weights. Keys: `MEDIANS` and `LEADERBOARD`.

    Args:
        pairs: of `slide_pairs`.
        stains: in the order of the weights.
    """

    def __init__(self, pairs: pd.DataFrame, stains: Sequence[str]) -> None:
        index = pd.Index(stains)
        self._parts = {}
        self.reasons: dict[str, str] = {}
        for key, (column, group) in MEDIANS.items():
            rows = pairs if group == ALL else pairs[pairs["group"] == group]
            if rows.empty or column not in rows:
                self.reasons[key] = "there is no such pair of slides" if rows.empty else "there are no 10 places"
                rows = pairs.iloc[:0].assign(**{column: 0.0})
            rows = rows.sort_values(column, kind="stable")
            first = index.get_indexer(rows["stain_a"])
            second = index.get_indexer(rows["stain_b"])
            self._parts[key] = rows[column].to_numpy(np.float64), first, second
        if self.reasons:
            self.reasons[LEADERBOARD] = "one of its medians is undefined"

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        medians = {}
        for key, (values, first, second) in self._parts.items():
            of_pairs = weights[:, first] * np.where(first == second, 1, weights[:, second])
            medians[key] = np.array([_weighted_median(values, row) for row in of_pairs])
        return {LEADERBOARD: np.mean(list(medians.values()), axis=0), **medians}


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """The median of sorted `values` [n], each repeated `weights` [n] times; NaN where none is."""
    ends = np.cumsum(weights)
    if not len(ends) or not ends[-1]:
        return float("nan")
    total = ends[-1]
    middle = np.searchsorted(ends, [(total - 1) // 2, total // 2], side="right")
    return float(values[middle].mean())
