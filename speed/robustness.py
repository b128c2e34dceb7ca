"""Time and memory of the robustness measures at the size of the public benchmarks, beside the matrix products they need.

    python -m speed.robustness [--slides 91] [--sampled 3] [--tiles 8139] [--dim 1024] [--plism-benchmark FOLDER]

Features are generated: registered slides share the tissue, and each has its own shift and noise. All slides are in memory, as
they are when `measures/of_features/stain_pairs.py` measures them (3.0 GB of float32 by default). The 4,095 pairs of 91 slides
are extrapolated from the pairs of a few: each slide's own neighbours are found once, each pair costs one product.

plism-benchmark's own metric functions run beside it on the same arrays where they can be imported. They are not on PyPI and
the repository states no licence, so nothing of them is here. To get them:

    git clone https://github.com/owkin/plism-benchmark && pip install loguru
    python -m speed.robustness --plism-benchmark plism-benchmark

They run on the CPU in float32. (By default they cast to float16, for which a CPU has no fast product: far slower still.)
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import torch

from scangen_bundle.measures.neighbours import nearest, neighbour_counts
from scangen_bundle.measures.of_features.robustness_index import robustness_index
from scangen_bundle.measures.paired_features import (
    RETRIEVAL_KS,
    own_neighbours,
    paired_cosine,
    retrieval_hits,
    unit_rows,
)

BLOCK_ROWS = 512  # as in `retrieval_hits`
CHECKED = 40  # rows that are compared with a sort of all cosines


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """How long it takes, and the result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def product(a: np.ndarray, b: np.ndarray) -> None:
    """The product of a and b transposed, in the same blocks as the measures."""
    left, right = torch.from_numpy(a), torch.from_numpy(b).T
    for start in range(0, len(a), BLOCK_ROWS):
        left[start : start + BLOCK_ROWS] @ right


def brute_force(a: np.ndarray, b: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Hits [rows, K] by sorting the cosines to all rows of both."""
    stacked, n = np.concatenate([a, b]).astype(np.float64), len(a)
    hits = np.zeros((len(rows), len(RETRIEVAL_KS)))
    for query, partner in ((rows, rows + n), (rows + n, rows)):
        similarity = stacked[query] @ stacked.T
        similarity[np.arange(len(rows)), query] = -np.inf
        rank = (similarity > similarity[np.arange(len(rows)), partner][:, None]).sum(axis=1)
        hits += (rank[:, None] < np.array(RETRIEVAL_KS)) / 2
    return hits


def plism_metrics(folder: str | None) -> tuple[Any, Any] | None:
    """plism-benchmark's cosine and top-k metrics on the CPU in float32; None where they cannot be imported."""
    if folder:
        sys.path.insert(0, folder)
    try:
        from plismbench.metrics import CosineSimilarity, TopkAccuracy
    except ImportError as error:
        print(f"plism-benchmark is not measured ({error}); the head of this file says how to get it")
        return None
    return CosineSimilarity("cpu", use_mixed_precision=False), TopkAccuracy(
        "cpu", use_mixed_precision=False, k=list(RETRIEVAL_KS)
    )


def largest_memory() -> float:
    """Of this process until now, in 2^30 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def registered_slides(slides: int, tiles: int, dim: int) -> np.ndarray:
    """Features float32 [slides, tiles, dim]: shared tissue, and of each slide a shift and noise."""
    generator = np.random.default_rng(0)
    tissue, noise = (generator.normal(size=(tiles, dim)).astype(np.float32) for _ in range(2))
    features = np.empty((slides, tiles, dim), np.float32)
    for slide, values in enumerate(features):
        # Noise of other tiles is as good as noise of its own.
        np.multiply(np.roll(noise, 37 * slide + 1, axis=0), 4.5, out=values)
        values += tissue + generator.normal(size=dim).astype(np.float32)
    return features


def paired(slides: int, sampled: int, tiles: int, dim: int, plism: tuple[Any, Any] | None) -> None:
    features = registered_slides(slides, tiles, dim)
    arrays = [unit_rows(values) for values in features[:sampled]]
    own_time, own = seconds(lambda: [own_neighbours(array, max(RETRIEVAL_KS)) for array in arrays])
    pairs = list(combinations(range(sampled), 2))
    one, pair_time, found = 0.0, 0.0, {}

    def measured(a: int, b: int) -> np.ndarray:
        """What `stain_pairs.slide_pairs` does for a pair: hits [n, K]."""
        second = unit_rows(features[b])
        paired_cosine(arrays[a], second).mean()
        return retrieval_hits(arrays[a], second, own[a], own[b], RETRIEVAL_KS)

    for a, b in pairs:
        time_product, _ = seconds(lambda a=a, b=b: product(arrays[a], arrays[b]))
        time_pair, hits = seconds(lambda a=a, b=b: measured(a, b))
        one, pair_time = one + time_product, pair_time + time_pair
        found[a, b] = hits.mean(axis=0)
        some = np.linspace(0, tiles - 1, CHECKED).astype(int)
        difference = np.abs(hits[some] - brute_force(arrays[a], arrays[b], some)).max()
        if difference > 1e-9:
            raise SystemExit(f"pair {a}, {b}: hits differ from brute force by {difference}")
    count = slides * (slides - 1) // 2
    total = own_time / sampled * slides + pair_time / len(pairs) * count
    products = one / len(pairs) * count
    print(
        f"top-k and cosine, {tiles:,} tiles x {dim:,}-d, {len(pairs)} pairs of {sampled} slides; equal to brute force"
    )
    print(
        f"  pair {pair_time / len(pairs):.2f} s, one product {one / len(pairs):.2f} s, "
        f"own neighbours {own_time / sampled:.2f} s a slide"
    )
    print(
        f"  {count:,} pairs of {slides} slides: {total:,.0f} s, products alone {products:,.0f} s: {total / products:.2f} times"
    )
    print(f"  largest memory, all {slides} slides in it: {largest_memory():.2f} GB")
    if plism:
        cosine, topk = plism
        time_cosine, mean = seconds(lambda: cosine.compute_metric(arrays[0], arrays[1]))
        time_topk, accuracy = seconds(lambda: topk.compute_metric(arrays[0], arrays[1]))
        theirs, ours = time_cosine + time_topk, total / count
        apart = np.abs(np.asarray(accuracy) - found[0, 1]).max()
        print(
            f"  plism-benchmark, one pair: cosine {time_cosine:.1f} s, top-k {time_topk:.1f} s; ours with its share of own "
            f"neighbours {ours:.2f} s: {theirs / ours:.1f} times faster"
        )
        print(
            f"  accuracies differ by at most {apart:.1e}, cosines by "
            f"{abs(mean - paired_cosine(arrays[0], arrays[1]).mean()):.1e}; memory with theirs {largest_memory():.2f} GB"
        )


def index(samples: int, dim: int, k: int) -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(samples, dim)).astype(np.float32)
    label, scanner, slide = (generator.integers(n, size=samples) for n in (2, 5, 200))
    time_product, _ = seconds(lambda: product(values, values))
    time_index, _ = seconds(lambda: robustness_index(neighbour_counts(nearest(values, slide, k), label, scanner, k)))
    print(f"robustness index, {samples:,} x {dim:,}, k = {k}")
    print(f"  {time_index:.1f} s, one product {time_product:.1f} s: {time_index / time_product:.2f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slides", type=int, default=91)
    parser.add_argument("--sampled", type=int, default=3, help="slides whose pairs are measured")
    parser.add_argument("--tiles", type=int, default=8139)
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--sample-dim", type=int, default=1536)
    parser.add_argument("--plism-benchmark", help="a checkout of github.com/owkin/plism-benchmark")
    options = parser.parse_args()
    index(options.samples, options.sample_dim, 11)
    print(f"  largest memory: {largest_memory():.2f} GB")
    paired(options.slides, options.sampled, options.tiles, options.dim, plism_metrics(options.plism_benchmark))


if __name__ == "__main__":
    main()
