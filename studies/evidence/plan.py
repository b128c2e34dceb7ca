"""Which trainings the evidence needs, and which weight a fold's inner validation chose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from studies.evidence.experiment import Setting

BASELINE_ALPHA = 0.16  # without weight it plays no part
SIDE_SCANNERS = 3  # trained on in what is not the main comparison: harm and standardised features


def rotations(config: Mapping[str, Any], scanners: int, count: int) -> list[tuple[int, int]]:
    """(rotation, seed) of each cross-validation: leave-one-scanner-out has every scanner out with every seed, else each
    seed has its own training scanners."""
    if count == scanners - 1:
        return list(product(range(scanners), range(config["seeds"])))
    return [(seed, seed) for seed in range(config["seeds"])]


def swept(config: Mapping[str, Any], count: int, fold: int) -> list[Setting]:
    """The baseline and every weight and alpha, with the first seed."""
    grid = product(config["sweep"]["weight"], config["sweep"]["alpha"])
    return [Setting(count, 0, fold, 0, weight, alpha) for weight, alpha in [(0.0, BASELINE_ALPHA), *grid]]


def chosen(config: Mapping[str, Any], results: Mapping[str, dict], count: int, fold: int) -> tuple[float, float]:
    """Weight and alpha with the lowest validation CoV among those that keep the worst scanner's validation AUROC.

    "Keep" is: within `auroc_tolerance` of the baseline's. Where none does, or on a tie, the highest AUROC.
    """
    baseline, *settings = swept(config, count, fold)
    found = [(setting, results[setting.key]) for setting in settings]
    floor = results[baseline.key]["val_auroc"] - config["auroc_tolerance"]
    kept = [(setting, result) for setting, result in found if result["val_auroc"] >= floor]
    if not kept:
        best = max(found, key=lambda each: each[1]["val_auroc"])[0]
    else:
        best = min(kept, key=lambda each: (round(each[1]["val_cov"], 6), -each[1]["val_auroc"]))[0]
    return best.weight, best.alpha


def arms(
    config: Mapping[str, Any], results: Mapping[str, dict], scanners: int, count: int, shipped: bool
) -> dict[tuple[int, int], list[tuple[Setting, Setting]]]:
    """By (rotation, seed), for each fold: the baseline's setting, and that of the shipped or else of the chosen weight."""
    default = config["shipped"]["weight"], config["shipped"]["alpha"]
    planned: dict[tuple[int, int], list[tuple[Setting, Setting]]] = {}
    for rotation, seed in rotations(config, scanners, count):
        for fold in range(config["training"]["folds"]):
            pair = [(0.0, BASELINE_ALPHA), default if shipped else chosen(config, results, count, fold)]
            first, second = (Setting(count, rotation, fold, seed, *each) for each in pair)
            planned.setdefault((rotation, seed), []).append((first, second))
    return planned


def harm(
    config: Mapping[str, Any], results: Mapping[str, dict]
) -> dict[str, dict[tuple[int, int], list[tuple[Setting, Setting]]]]:
    """By kind of harm, as `arms`: the baseline, and what might hurt."""
    wanted = config["harm"]
    kinds: dict[str, dict[tuple[int, int], list[tuple[Setting, Setting]]]] = {}
    for kind in ("too much weight", "few", "confounded"):
        scenario = "paired" if kind == "too much weight" else kind
        for seed, fold in product(range(wanted["seeds"]), range(config["training"]["folds"])):
            second = chosen(config, results, SIDE_SCANNERS, fold)
            if kind == "too much weight":
                second = wanted["weight"], wanted["alpha"]
            first = Setting(SIDE_SCANNERS, seed, fold, seed, 0.0, BASELINE_ALPHA, scenario)
            other = Setting(SIDE_SCANNERS, seed, fold, seed, *second, scenario)
            kinds.setdefault(kind, {}).setdefault((seed, seed), []).append((first, other))
    return kinds


def standardised(
    config: Mapping[str, Any],
) -> dict[tuple[str, str], dict[tuple[int, int], list[tuple[Setting, Setting]]]]:
    """By the names of both arms, as `arms`: what standardising features by scanner does, beside ScanGen, with it, and where the
    scanner tells the label."""
    kinds: dict[tuple[str, str], dict[tuple[int, int], list[tuple[Setting, Setting]]]] = {}
    for seed, fold in product(range(config["seeds"]), range(config["training"]["folds"])):
        plain = Setting(SIDE_SCANNERS, seed, fold, seed, 0.0, BASELINE_ALPHA)
        scangen = replace(plain, **config["shipped"])
        confounded = replace(plain, scenario="confounded")
        pairs = {
            ("without", "standardised"): (plain, plain),
            ("with ScanGen", "standardised"): (scangen, plain),
            ("with ScanGen", "standardised, with ScanGen"): (scangen, scangen),
            ("confounded", "confounded, standardised"): (confounded, confounded),
        }
        for names, (first, second) in pairs.items():
            pair = first, replace(second, standardised=True)
            kinds.setdefault(names, {}).setdefault((seed, seed), []).append(pair)
    return kinds


def settings_of(planned: Mapping[tuple[int, int], Iterable[tuple[Setting, Setting]]]) -> list[Setting]:
    return [setting for pairs in planned.values() for pair in pairs for setting in pair]
