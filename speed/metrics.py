"""How fast the metrics are and what memory they take, beside scikit-learn and the machine's own matrix product: prints a table.

Each part runs in a process of its own, so that its peak memory is its own. Ratios are taken within one process.

    python -m speed.metrics [--specimens 10000] [--scanners 6] [--resamples 2000] [--scans 50000] [--dim 1536]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.measures import PredictionData, PredictionStatistic, check_predictions, evaluate_predictions
from scangen_bundle.measures.neighbours import nearest, neighbour_counts
from scangen_bundle.measures.of_features.robustness_index import robustness_index
from scangen_bundle.measures.of_features.specimen_retrieval import specimen_retrieval
from scangen_bundle.statistics import PatientBootstrap

SHARE = 20  # resamples that scikit-learn computes, too
NEIGHBOURS = 11


def cohort(specimens: int, scanners: int) -> pd.DataFrame:
    """Predictions of two specimens per patient on every scanner, scanner shifts planted."""
    generator = np.random.default_rng(0)
    label = generator.random(specimens) < 0.4
    latent = generator.normal(size=(specimens, 1)) + label[:, None] + 0.1 * np.arange(scanners)
    score = 1 / (1 + np.exp(-(latent + 0.3 * generator.normal(size=(specimens, scanners)))))
    specimen, scanner = np.divmod(np.arange(specimens * scanners), scanners)
    return pd.DataFrame(
        {
            "slide_id": [f"s{i}" for i in range(len(specimen))],
            "specimen_id": specimen.astype(str),
            "patient_id": (specimen // 2).astype(str),
            "scanner": np.array([f"scanner{s}" for s in range(scanners)])[scanner],
            "label": label[specimen].astype(int),
            "probability": score.ravel(),
        }
    )


def peak_gb() -> float:
    """Largest memory of this process until now, in 2^30 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def all_figures(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    table = cohort(options.specimens, options.scanners)
    start = time.perf_counter()
    result = evaluate_predictions(table, validation_sensitivity=0.8, resamples=options.resamples)
    taken = time.perf_counter() - start
    what = f"{len(result['figures'])} figures, {len(table):,} scans, {options.resamples:,} resamples"
    return [(what, f"{taken:.1f} s", "20 s"), ("peak memory", f"{peak_gb():.2f} GB", "2 GB")]


def auroc_beside_scikit_learn(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    from sklearn.metrics import roc_auc_score

    table = cohort(options.specimens, options.scanners)
    checked = check_predictions(table)
    plan = PatientBootstrap(checked.strata(), options.resamples, jackknife=False)
    start = time.perf_counter()
    statistic = PredictionStatistic(PredictionData(checked, 0.5), ["auroc"])
    found = plan.run([statistic], options.specimens)
    ours = (time.perf_counter() - start) / ((1 + options.resamples) * options.scanners)

    rows = [np.flatnonzero(checked.scanner == s) for s in range(options.scanners)]
    theirs, worst, draws = 0.0, 0.0, plan.rows()
    next(draws)  # the observed data
    for resample in range(SHARE):
        weights = next(draws)
        for scanner, own in zip(checked.scanners, rows, strict=True):
            drawn = np.repeat(own, weights[checked.patient[own]])
            label, score = checked.label[drawn], checked.probability[drawn, 1]
            start = time.perf_counter()
            expected = roc_auc_score(label, score)
            theirs += time.perf_counter() - start
            worst = max(worst, abs(expected - found.samples[f"auroc/{scanner}"][resample]))
    theirs /= SHARE * options.scanners
    return [
        ("AUROC of a scanner and resample, scikit-learn / ours", f"{theirs / ours:.0f} x", "50 x"),
        ("largest difference from scikit-learn", f"{worst:.1e}", "1e-12"),
    ]


def embeddings(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    import torch

    generator = np.random.default_rng(0)
    specimen, scanner = np.divmod(np.arange(options.scans), options.scanners)
    values = generator.standard_normal((options.scans, options.dim), dtype=np.float32)
    values[:] += values[specimen * options.scanners]

    def timed(call: Callable[[], Any]) -> tuple[float, Any]:
        start = time.perf_counter()
        result = call()
        return time.perf_counter() - start, result

    tensor = torch.from_numpy(values)
    torch.mm(tensor[:500], tensor.T)  # warm-up

    def product_speed() -> float:
        seconds = min(timed(lambda: torch.mm(tensor[:500], tensor.T))[0] for _ in range(5))
        return 2 * 500 * options.scans * options.dim / seconds

    lines, k = [], NEIGHBOURS
    label = (specimen // 2) % 2
    for name, share, call in (
        (
            f"robustness index, k = {k}",
            1.0,
            lambda: robustness_index(neighbour_counts(nearest(values, specimen // 2, k), label, scanner, k)),
        ),
        (
            "retrieval across scanners",
            (options.scanners - 1) / options.scanners,
            lambda: specimen_retrieval(values, specimen, scanner).hit.mean(axis=0),
        ),
    ):
        before = product_speed()
        seconds, _ = timed(call)
        machine = max(before, product_speed())
        reached = 2 * options.scans**2 * options.dim * share / seconds
        what = f"{name}: {seconds:.0f} s, of the matrix product's {machine / 1e9:.0f} GFLOP/s"
        lines.append((what, f"{reached / machine:.2f}", "0.6"))
    return [*lines, (f"peak memory, {options.scans:,} x {options.dim:,}", f"{peak_gb():.2f} GB", "3 GB")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specimens", type=int, default=10_000)
    parser.add_argument("--scanners", type=int, default=6)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--scans", type=int, default=50_000, help="embeddings")
    parser.add_argument("--dim", type=int, default=1536)
    options = parser.parse_args()

    print(f"{os.cpu_count()} processors; one minute's load {os.getloadavg()[0]:.1f}")
    print(f"{'what':<95}{'found':>12}{'wanted':>12}")
    for part in (all_figures, auroc_beside_scikit_learn, embeddings):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            for what, found, wanted in pool.apply(part, (options,)):
                print(f"{what:<95}{found:>12}{wanted:>12}", flush=True)


if __name__ == "__main__":
    main()
