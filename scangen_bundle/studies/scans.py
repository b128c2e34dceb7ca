"""Which scans a cell trains on, validates on and tests on; and what makes a study impossible, before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scangen_bundle.cohort.manifest import UNLABELLED
from scangen_bundle.cohort.splits import check_splits, hold_out_scanner, k_fold
from scangen_bundle.errors import InputError, listed, some
from scangen_bundle.studies.plan import Plan, Scheme, Split

CONFOUNDED_SHARE = 0.9
FEW_SPECIMENS = 20


@dataclass(frozen=True)
class SplitRules:
    """How patients are divided, the same for every cell of a study.

    Attributes:
        folds: number of folds; 0 takes the manifest's split column.
        split_seed: of the folds.
        validation_fraction: share of a fold's other patients that choices are made on.
        never_train: scanners that no cell trains on, beside those that its split holds out.
    """

    folds: int = 5
    split_seed: int = 0
    validation_fraction: float = 0.25
    never_train: tuple[str, ...] = ()


def split_scans(manifest: pd.DataFrame, split: Split, scheme: Scheme, seed: int, rules: SplitRules) -> pd.DataFrame:
    """The manifest with its column `split` filled for one cell.

    Test patients keep their scans on all scanners. Validation has scans of training scanners only.

    Args:
        manifest: as from `load_manifest`.
        split, scheme: of the cell.
        seed: of what the scheme's `training` draws.
        rules: of the study.

    Raises:
        InputError: a fold or a scanner that cannot be, or nothing is left to train on.
    """
    if split.fold < 0:
        scans = manifest
    else:
        scans = k_fold(manifest, rules.folds, rules.split_seed, rules.validation_fraction)[split.fold]
    unseen = [*split.hold_out, *rules.never_train]
    if unseen:
        scans = hold_out_scanner(scans, unseen, seen_scanners_in_test=True)
    scans = scans.assign(split=scans["split"].mask(_unused(scans, scheme, split.fold, seed), "excluded"))
    check_splits(scans, unseen)
    return scans


def _unused(scans: pd.DataFrame, scheme: Scheme, fold: int, seed: int) -> pd.Series:
    """[n] bool: scans that the scheme's `training` leaves out."""
    rng = np.random.default_rng((fold + 1, seed))
    training = scans[scans["split"] == "train"]
    if scheme.training == "few":
        kept = _few(training, int(scheme.amount) or FEW_SPECIMENS, rng)
        return (scans["split"] == "train") & ~scans["specimen_id"].isin(kept)
    if scheme.training == "confounded":
        kept = _confounded(training, scheme.amount or CONFOUNDED_SHARE, rng)
        return (scans["split"] == "train") & ~scans["slide_id"].isin(kept)
    if scheme.training == "once":
        # A lab that scans each glass once has no second scan to validate on either.
        inner = scans["split"].isin(["train", "val"])
        return inner & ~scans["slide_id"].isin(_once(scans[inner], rng))
    return pd.Series(False, index=scans.index)


def _once(scans: pd.DataFrame, rng: np.random.Generator) -> list[str]:
    """One scan of each specimen, the scanners in turn within each split and label."""
    kept: list[str] = []
    label = scans.groupby("specimen_id")[["split", "label"]].max()
    slides = scans.sort_values(["scanner", "slide_id"]).groupby("specimen_id")["slide_id"].agg(list)
    for _, specimens in label.groupby(["split", "label"]):
        for turn, specimen in enumerate(rng.permutation(specimens.index.to_numpy(dtype=object))):
            kept.append(slides[specimen][turn % len(slides[specimen])])
    return kept


def _few(training: pd.DataFrame, specimens: int, rng: np.random.Generator) -> list[str]:
    """So many labelled specimens, as equally over the labels as can be."""
    label = training[training["label"] != UNLABELLED].groupby("specimen_id")["label"].first()
    shuffled = [rng.permutation(names.index.to_numpy(dtype=object)) for _, names in label.groupby(label)]
    ranked = [(rank, group, name) for group, names in enumerate(shuffled) for rank, name in enumerate(names)]
    return [name for _, _, name in sorted(ranked)[:specimens]]


def _confounded(training: pd.DataFrame, share: float, rng: np.random.Generator) -> list[str]:
    """One scan of each labelled specimen: with probability `share` that of its label's scanner, else of another's."""
    scanners = sorted(training["scanner"].unique())
    labels = sorted(set(training["label"]) - {UNLABELLED})
    usual = {label: scanners[number % len(scanners)] for number, label in enumerate(labels)}
    kept: list[str] = []
    for _, scans in training[training["label"] != UNLABELLED].groupby("specimen_id"):
        scanner = usual[scans["label"].iloc[0]]
        if rng.random() >= share:
            others = sorted(set(usual.values()) - {scanner}) or [scanner]
            scanner = others[rng.integers(len(others))]
        kept += scans[scans["scanner"] == scanner]["slide_id"].tolist()[:1]
    return kept


def check_study(manifest: pd.DataFrame, plan: Plan, rules: SplitRules) -> None:
    """Refuse a study that cannot be done on these scans, before any training.

    Raises:
        InputError: one error with all that is wrong: fewer than two scanners, too few patients for the folds, a class that
            a split lacks, a held-out scanner that does not exist or has no labelled patient.
    """
    scanners = sorted(manifest["scanner"].unique())
    if len(scanners) < 2:
        problem = f"all scans are of one scanner, {scanners[0]}"
        raise InputError("manifest", problem, "a study compares scanners: add scans of another one")
    held_out = {name for scheme in plan.schemes for names in scheme.hold_out for name in names}
    problems = _held_out_problems(manifest, sorted(held_out | set(rules.never_train)))
    problems += _fold_problems(manifest, rules.folds) or _split_problems(manifest, plan, rules)
    if problems:
        remedy = "change folds, validation_fraction, split_seed or hold_out, or add patients; nothing was trained"
        raise InputError("study", listed(f"{len(problems)} problems", problems), remedy)


def _held_out_problems(manifest: pd.DataFrame, held_out: Sequence[str]) -> list[str]:
    problems = []
    for name in held_out:
        scans = manifest[manifest["scanner"] == name]
        if scans.empty:
            names = some(sorted(manifest["scanner"].unique()))
            problems.append(f"held-out scanner {name!r}: no scan in the manifest is of it; its scanners are {names}")
        elif not (scans["label"] != UNLABELLED).any():
            problems.append(f"held-out scanner {name!r}: it has no labelled patient to test on")
    return problems


def _fold_problems(manifest: pd.DataFrame, folds: int) -> list[str]:
    """Classes with fewer patients than folds, or a split column that does not serve."""
    if folds == 0:
        empty = int((manifest["split"] == "").sum())
        if empty:
            return [f"folds is 0, but {empty} scans have no split in the manifest: fill its column split, or set folds"]
        return []
    labelled = manifest[manifest["label"] != UNLABELLED]
    if labelled["label"].nunique() < 2:
        return ["the manifest has labels of fewer than two classes: there is nothing to tell apart"]
    patients = labelled.groupby("label")["patient_id"].nunique()
    return [
        f"class {label}: {count} patients are too few for {folds} folds; give fewer folds or more patients"
        for label, count in patients.items()
        if count < folds
    ]


def _split_problems(manifest: pd.DataFrame, plan: Plan, rules: SplitRules) -> list[str]:
    """Splits that lack a class in training, validation or test."""
    classes = sorted(set(manifest["label"]) - {UNLABELLED})
    problems = []
    for split in plan.splits():
        scheme = next(scheme for scheme in plan.schemes if scheme.name == split.scheme)
        name = f"{split.scheme}, {_words(split)}"
        try:
            scans = split_scans(manifest, split, scheme, plan.seeds[0], rules)
        except InputError as error:
            problems.append(f"{name}: {error}")
            continue
        for part in ("train", "val", "test"):
            labels = set(scans.loc[scans["split"] == part, "label"])
            problems += [f"{name}: no {part} patient has class {label}" for label in classes if label not in labels]
    return problems


def _words(split: Split) -> str:
    fold = "the manifest's split" if split.fold < 0 else f"fold {split.fold}"
    return f"{fold} without {', '.join(split.hold_out)}" if split.hold_out else fold
