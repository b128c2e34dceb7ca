"""Every figure of slide embeddings with its interval: scanner probes and their baselines, clusters, retrieval, robustness."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from scangen_bundle.measures.embedding import (
    ROBUSTNESS_KS,
    DaviesBouldin,
    MeanOfRatios,
    all_other_counts,
    balanced_accuracy,
    choose_k,
    knn_probe,
    linear_probe,
    neighbour_counts,
    robustness_index,
    silhouette_values,
    specimen_retrieval,
)
from scangen_bundle.measures.neighbours import nearest
from scangen_bundle.measures.predictions import UNLABELLED
from scangen_bundle.statistics.bootstrap import PatientBootstrap, Statistic

RETRIEVAL_KS = (1, 5, 10)


def evaluate_embeddings(
    embeddings: np.ndarray,
    patient: Sequence[str] | np.ndarray,
    specimen: Sequence[str] | np.ndarray,
    scanner: Sequence[str] | np.ndarray,
    label: np.ndarray,
    *,
    colours: np.ndarray | None = None,
    ks: Sequence[int] = ROBUSTNESS_KS,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Figures by key, each with `value`, `low`, `high` (95 % percentile interval over patients), `chance`, and why the value or
    the interval is null: `reason`, `interval_reason`.

    - `scanner_probe/linear`, `scanner_probe/knn`: balanced accuracy; `scanner_probe/linear_colour`, `/knn_colour`: the same of
      the colour statistics, which say how much any scan's colours give away.
    - `silhouette/scanner`, `silhouette/label`, `davies_bouldin/scanner`, `davies_bouldin/label`.
    - `retrieval/top<k>`: the same specimen on another scanner.
    - `robustness_index`: with `k`, of `ks` the one with the best vote for the label, over the labelled scans.

    Args:
        embeddings: [N, E].
        patient, specimen, scanner: [N] names.
        label: [N] int64, -1 for unlabelled.
        colours: [N, F] colour statistics of the same scans.
        ks: neighbours that the robustness index may look at.
        resamples, seed: of the intervals.

    Raises:
        ValueError: an embedding is not finite, or lengths differ.
    """
    label = np.asarray(label)
    lengths = {len(part) for part in (embeddings, patient, specimen, scanner, label)}
    if len(lengths) > 1 or (colours is not None and len(colours) not in lengths):
        raise ValueError("embeddings, names, labels and colours must have one row per scan each")
    patients, owner = np.unique(patient, return_inverse=True)
    machine, glass = (np.unique(names, return_inverse=True)[1] for names in (scanner, specimen))
    known = np.flatnonzero(label != UNLABELLED)
    found: dict[str, dict[str, Any]] = {}
    plan = PatientBootstrap(np.zeros(len(patients), dtype=np.int64), resamples, seed, jackknife=False)

    def add(key: str, make: Callable[[], Statistic], chance: float | None = None) -> None:
        try:
            statistic = make()
        except ValueError as error:
            found[key] = _entry(math.nan, reason=str(error))
            return
        result = plan.run([statistic], len(label))
        interval = result.interval(key)
        reason = statistic.reasons.get(key)
        found[key] = _entry(result.observed[key], interval.low, interval.high, chance, reason, interval.reason)

    one_in = 1 / (machine.max() + 1)
    for suffix, values in (("", embeddings), ("_colour", colours)):
        for name, probe in (("linear", linear_probe), ("knn", knn_probe)):
            if values is not None:
                key = f"scanner_probe/{name}{suffix}"
                add(key, _probe(key, probe, values, machine, owner, len(patients)), one_in)
    for name, rows, cluster in (("scanner", np.arange(len(label)), machine), ("label", known, label[known])):
        key = f"silhouette/{name}"
        add(key, _silhouette(key, embeddings[rows], cluster, owner[rows], len(patients)))
        key = f"davies_bouldin/{name}"
        add(key, partial(DaviesBouldin, key, embeddings[rows], cluster, owner[rows], len(patients)))
    retrieval = specimen_retrieval(embeddings, glass, machine, RETRIEVAL_KS)
    for position, k in enumerate(RETRIEVAL_KS):
        key, hits = f"retrieval/top{k}", retrieval.hit[:, position]
        chance = float(retrieval.chance[:, position].mean()) if len(hits) else None
        add(key, partial(MeanOfRatios, key, hits, np.ones(len(hits)), owner[retrieval.query], len(patients)), chance)
    found["robustness_index"] = _entry(math.nan, reason="fewer than two labelled scans")
    if len(known) > 1:
        neighbours = nearest(embeddings[known], owner[known], max(ks))
        classes = np.unique(label[known], return_inverse=True)[1]
        counts = neighbour_counts(neighbours, classes, machine[known], choose_k(neighbours, classes, ks))
        key, chance = "robustness_index", robustness_index(all_other_counts(classes, machine[known], owner[known]))
        make = partial(MeanOfRatios, key, counts.so, counts.so + counts.os, owner[known], len(patients))
        add(key, make, None if math.isnan(chance) else chance)
        found[key]["k"] = counts.k
    return found


def _probe(
    key: str, probe: Callable, values: np.ndarray, scanner: np.ndarray, patient: np.ndarray, patients: int
) -> Callable[[], Statistic]:
    def make() -> Statistic:
        if scanner.max() == 0:
            raise ValueError("a probe needs at least two scanners")
        return balanced_accuracy(key, scanner, probe(values, scanner, patient), patient, patients)

    return make


def _silhouette(
    key: str, values: np.ndarray, cluster: np.ndarray, patient: np.ndarray, patients: int
) -> Callable[[], Statistic]:
    def make() -> Statistic:
        return MeanOfRatios(key, silhouette_values(values, cluster), np.ones(len(cluster)), patient, patients)

    return make


def _entry(
    value: float,
    low: float = math.nan,
    high: float = math.nan,
    chance: float | None = None,
    reason: str | None = None,
    interval_reason: str = "",
) -> dict[str, Any]:
    numbers = {
        name: float(v) if math.isfinite(v) else None for name, v in (("value", value), ("low", low), ("high", high))
    }
    return {**numbers, "chance": chance, "reason": reason, "interval_reason": interval_reason or None}
