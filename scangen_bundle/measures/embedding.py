"""What do embeddings know: the scanner, or the tissue? Figures of slide (or tile) embeddings with scanner and label.

Every neighbour of a scan is of another patient: on paired scans the same glass on another scanner is too easy a
neighbour, and a patient's other slides are not independent. Intervals come from `PatientBootstrap` over the statistics
given here; they take the neighbours, the fitted probes and the clusters' centres as fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scangen_bundle.measures.neighbours import BLOCK_ELEMENTS, finite_unit_rows, nearest, run_cells, vote
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

ROBUSTNESS_KS = (1, 3, 5, 7, 9, 11, 21, 31, 41, 51, 61)  # of which `choose_k` takes the best
SAME_PLACE = 1e-6  # unit rows are float32: centres nearer than this differ by rounding


class MeanOfRatios:
    """A statistic of patient weights: the mean over classes of sum(numerator) / sum(denominator).

    Where every numerator is a part of its denominator the figure is a share, and has `trials` for its interval at 0 and at 1:
    the patients of the class that has the fewest. (Patients differ in what they bring, but that all of a patient's parts hit
    is no more probable than the share itself, so the interval is too wide rather than too narrow.)

    Args:
        key: of the figure.
        numerator, denominator: [N] or [N, C] per scan.
        patient: [N] int64.
        patients: P.
    """

    def __init__(
        self, key: str, numerator: np.ndarray, denominator: np.ndarray, patient: np.ndarray, patients: int
    ) -> None:
        self.key = key
        self._sums = [
            patient_sums(np.asarray(part, dtype=np.float64).reshape(len(patient), -1), patient, patients)
            for part in (numerator, denominator)
        ]
        value = self(np.ones((1, patients), dtype=np.int32))[key][0]
        self.reasons = {} if np.isfinite(value) else {key: "no scan enters the figure"}
        part, whole = self._sums
        is_share = bool(((part >= 0) & (part <= whole)).all())
        self.trials = {key: int((whole > 0).sum(axis=0).min())} if is_share else {}

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {self.key: ratio(weights @ self._sums[0], weights @ self._sums[1]).mean(axis=1)}


def balanced_accuracy(
    key: str, truth: np.ndarray, guess: np.ndarray, patient: np.ndarray, patients: int
) -> MeanOfRatios:
    """Mean recall of the classes of `truth` [N] by `guess` [N], as a statistic of patient weights; chance is 1 / classes."""
    classes = truth[:, None] == np.unique(truth)[None]
    return MeanOfRatios(key, classes & (guess == truth)[:, None], classes, patient, patients)


def linear_probe(
    features: np.ndarray, target: np.ndarray, patient: np.ndarray, folds: int = 5, seed: int = 0
) -> np.ndarray:
    """Out-of-fold predictions [N] of `target` [N] by a logistic regression on standardised features [N, F].

    Folds keep patients together and the classes' shares alike; classes weigh equally; L2 penalty with C = 1.

    Raises:
        ValueError: one class only, or fewer patients than folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(target)) < 2:
        raise ValueError("a probe needs at least two classes")
    if len(np.unique(patient)) < folds:
        raise ValueError(f"a probe in {folds} folds needs as many patients, there are {len(np.unique(patient))}")
    features = np.asarray(features, dtype=np.float64)
    guess = np.empty_like(target)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for train, test in split.split(features, target, patient):
        probe = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
        guess[test] = probe.fit(features[train], target[train]).predict(features[test])
    return guess


def knn_probe(embeddings: np.ndarray, target: np.ndarray, patient: np.ndarray, k: int = 5) -> np.ndarray:
    """Predictions [N] of `target` [N] (int64 from 0) by the `k` nearest scans of other patients; -1 where there is none."""
    return vote(nearest(embeddings, patient, k), target)


def silhouette_values(embeddings: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Silhouette [N] of each embedding [N, E] with cosine distance for clusters [N]; 0 alone in its cluster.

    s = (b - a) / max(a, b), a the mean distance to the own cluster's others, b the least mean distance to another cluster
    (P. Rousseeuw, J. Comput. Appl. Math. 20, 1987). The mean cosine distance to a cluster is 1 minus the product with the
    cluster's mean, so no N x N matrix is needed.

    Raises:
        ValueError: one cluster only.
    """
    names, cluster = np.unique(cluster, return_inverse=True)
    if len(names) < 2:
        raise ValueError("a silhouette needs at least two clusters")
    unit = finite_unit_rows(embeddings).astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-300)
    sizes = np.bincount(cluster)
    sums = np.stack([unit[cluster == c].sum(axis=0) for c in range(len(names))])
    similarity = unit @ sums.T  # [N, clusters]
    rows = np.arange(len(unit))
    distance = 1 - similarity / sizes
    own = sizes[cluster]
    a = ratio(own - similarity[rows, cluster], own - 1)  # the scan itself is at distance 0 and in both terms
    distance[rows, cluster] = np.inf
    b = distance.min(axis=1)
    return np.where(own > 1, np.nan_to_num(ratio(b - a, np.maximum(a, b))), 0.0)


class DaviesBouldin:
    """Davies-Bouldin index of unit embeddings as a statistic of patient weights, 0 = clusters well apart.

    The mean over clusters of the largest (S_a + S_b) / M_ab: S the mean Euclidean distance of a cluster's scans to its
    centre, M the distance of two centres (D. Davies, D. Bouldin, IEEE Trans. Pattern Anal. 1, 1979), as scikit-learn has it.
    The centres are those of all patients in every resample: found anew they would lie nearer to the drawn scans, each of
    which counts twice or more, and the index would fall.

    Args:
        key: of the figure.
        embeddings: [N, E].
        cluster: [N] names of clusters.
        patient: [N] int64.
        patients: P.

    Raises:
        ValueError: fewer than two clusters, or every scan is its own.
    """

    def __init__(
        self, key: str, embeddings: np.ndarray, cluster: np.ndarray, patient: np.ndarray, patients: int
    ) -> None:
        names, cluster = np.unique(cluster, return_inverse=True)
        if not 2 <= len(names) < len(cluster):
            raise ValueError("needs at least two clusters, and more scans than clusters")
        self.key = key
        unit = finite_unit_rows(embeddings).astype(np.float64)
        centres = np.stack([unit[cluster == c].mean(axis=0) for c in range(len(names))])
        distance = np.linalg.norm(unit - centres[cluster], axis=1)
        member = cluster[:, None] == np.arange(len(names))
        self._scans = patient_sums(member.astype(np.float64), patient, patients)
        self._spread = patient_sums(member * distance[:, None], patient, patients)
        apart = np.linalg.norm(centres[:, None] - centres, axis=2)
        np.fill_diagonal(apart, np.inf)  # a cluster is not compared with itself
        self._apart = np.where(apart < SAME_PLACE, np.nan, apart)
        self.reasons = {key: "two clusters have the same centre"} if (apart < SAME_PLACE).any() else {}

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        spread = ratio(weights @ self._spread, weights @ self._scans)
        overlap = ratio(spread[:, :, None] + spread[:, None], self._apart[None])
        return {self.key: overlap.max(axis=2).mean(axis=1)}


@dataclass(frozen=True)
class Retrieval:
    """Finding the same specimen among the scans of another scanner.

    Attributes:
        query: [Q] row of the query.
        target: [Q] scanner searched, as its number.
        hit: [Q, K] 1 where the specimen is among the first k, 0 where not; in between where ties straddle k.
        chance: [Q, K] of a random order.
        ks: the K numbers.
    """

    query: np.ndarray
    target: np.ndarray
    hit: np.ndarray
    chance: np.ndarray
    ks: tuple[int, ...]


def specimen_retrieval(
    embeddings: np.ndarray, specimen: np.ndarray, scanner: np.ndarray, ks: Sequence[int] = (1, 5, 10)
) -> Retrieval:
    """Search each scan's specimen among the scans of each other scanner that has it, by cosine.

    With several scans of the specimen there, the nearest one counts. With g scans of other specimens strictly nearer and
    t as near, it is among the first k with probability min(1, max(0, k - g) / (t + 1)).

    Args:
        embeddings: [N, E].
        specimen, scanner: [N] int64 from 0.
        ks: numbers of scans looked at.
    """
    import torch

    unit = finite_unit_rows(embeddings)
    specimen, scanner = np.asarray(specimen), np.asarray(scanner)
    queries, targets, hits, chances = [], [], [], []
    steps = np.asarray(ks, dtype=np.float64)
    for target in np.unique(scanner):
        pool = np.flatnonzero(scanner == target)
        pool = pool[np.argsort(specimen[pool], kind="stable")]  # scans of a specimen side by side
        first = np.searchsorted(specimen[pool], specimen, "left")
        last = np.searchsorted(specimen[pool], specimen, "right")
        query = np.flatnonzero((scanner != target) & (last > first))
        candidates = torch.from_numpy(unit[pool]).T.contiguous()
        rows = max(1, BLOCK_ELEMENTS // len(pool))
        memory = torch.empty((min(rows, len(query)), len(pool)))
        for start in range(0, len(query), rows):
            some = query[start : start + rows]
            block = torch.mm(torch.from_numpy(unit[some]), candidates, out=memory[: len(some)]).numpy()
            mates_found = last[some] - first[some]
            starts = np.cumsum(mates_found) - mates_found
            row, column = run_cells(first[some], last[some])
            best = np.maximum.reduceat(block[row, column], starts)[:, None]
            block[row, column] = -np.inf  # mates do not compete
            # counted by NumPy: ten times as fast as PyTorch sums truth values
            nearer = np.count_nonzero(block > best, axis=1)
            ties = np.count_nonzero(block == best, axis=1)
            queries.append(some)
            targets.append(np.full(len(some), target))
            hits.append(np.clip((steps - nearer[:, None]) / (ties[:, None] + 1), 0, 1))
            chances.append(_chance(len(pool), mates_found, ks))
    if not queries:
        nothing = np.zeros((0, len(steps)))
        return Retrieval(np.zeros(0, int), np.zeros(0, int), nothing, nothing, tuple(ks))
    return Retrieval(
        np.concatenate(queries), np.concatenate(targets), np.concatenate(hits), np.concatenate(chances), tuple(ks)
    )


def _chance(pool: int, mates: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Probability [Q, K] that one of `mates` [Q] of `pool` scans is among the first k of a random order."""
    missed = np.ones((len(mates), len(ks)))
    for position, k in enumerate(ks):
        for place in range(min(k, pool)):
            missed[:, position] *= np.maximum(pool - place - mates, 0) / (pool - place)
    return 1 - missed


@dataclass(frozen=True)
class NeighbourCounts:
    """Neighbours of each scan by whether they share its label and its scanner: [N] each, among the first k.

    Attributes:
        ss: same label, same scanner.
        so: same label, other scanner.
        os: other label, same scanner.
        oo: other label, other scanner.
        k: neighbours looked at.
    """

    ss: np.ndarray
    so: np.ndarray
    os: np.ndarray
    oo: np.ndarray
    k: int


def neighbour_counts(neighbours: np.ndarray, label: np.ndarray, scanner: np.ndarray, k: int) -> NeighbourCounts:
    """Count the first `k` of the neighbours [N, >= k] (rows, -1 for none) by shared label [N] and scanner [N]."""
    some = neighbours[:, :k]
    real = some >= 0
    biology = (label[some] == label[:, None]) & real
    confounder = (scanner[some] == scanner[:, None]) & real
    return NeighbourCounts(
        ss=(biology & confounder).sum(axis=1),
        so=(biology & ~confounder).sum(axis=1),
        os=(~biology & confounder).sum(axis=1),
        oo=(real & ~biology & ~confounder).sum(axis=1),
        k=k,
    )


def robustness_index(counts: NeighbourCounts) -> float:
    """PathoROB's robustness index with the scanner as confounder: sum SO / (sum SO + sum OS); NaN where both are 0.

    1: neighbours follow the label, 0: the scanner. What random neighbours give is the index of `all_other_counts`.
    J. Kömen et al., "Towards robust foundation models for digital pathology", 2025; github.com/bifold-pathomics/PathoROB.
    """
    same, other = float(counts.so.sum()), float(counts.os.sum())
    return same / (same + other) if same + other > 0 else float("nan")


def all_other_counts(label: np.ndarray, scanner: np.ndarray, group: np.ndarray) -> NeighbourCounts:
    """Counts where every scan of another group is a neighbour: what random neighbours give on average.

    Args:
        label, scanner, group: [N] int64.
    """

    def others(*names: np.ndarray) -> np.ndarray:
        """How many scans of other groups share all these names with each scan: [N]."""
        return _alike(*names) - _alike(*names, group)

    of_both, of_label, of_scanner = others(label, scanner), others(label), others(scanner)
    every = len(label) - _alike(group)
    so, os = of_label - of_both, of_scanner - of_both
    return NeighbourCounts(ss=of_both, so=so, os=os, oo=every - of_both - so - os, k=len(label))


def _alike(*names: np.ndarray) -> np.ndarray:
    """How many scans, itself included, share all these names with each scan: [N]."""
    _, group, count = np.unique(np.stack(names, axis=1), axis=0, return_inverse=True, return_counts=True)
    return count[group.reshape(-1)].astype(np.int64)


def choose_k(neighbours: np.ndarray, label: np.ndarray, ks: Sequence[int]) -> int:
    """The k of `ks` with the best balanced accuracy of the label's vote, the smallest on a draw.

    Args:
        neighbours: rows [N, >= max(ks)], nearest first, -1 for none.
        label: [N] int64 from 0.
    """
    scored = np.flatnonzero(neighbours[:, 0] >= 0)
    classes = np.unique(label[scored])
    accuracy = []
    for k in sorted(ks):
        right = vote(neighbours[:, :k], label) == label
        accuracy.append(np.mean([right[scored][label[scored] == c].mean() for c in classes]) if len(classes) else 0.0)
    return sorted(ks)[int(np.argmax(accuracy))]
