"""From cells to models: the folds of one method, one seed and one set of held-out scanners pooled into one table."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scangen_bundle.measures.predictions import IDENTITY, Predictions, check_predictions, probability_columns
from scangen_bundle.studies.plan import Plan, Scheme, Split, Strength
from scangen_bundle.studies.results import CellResult
from scangen_bundle.training.choice import RULES, Candidate, threshold_of

logger = logging.getLogger(__name__)

ENSEMBLE = -1  # the seed of a model that is the mean of all seeds
LEAST_PROBABILITY = 1e-12  # a probability of 0 has no logit
THRESHOLD = "threshold"  # column: of the probability of class 1, chosen on the validation patients of the row's fold


@dataclass(frozen=True)
class Model:
    """A method's predictions of every test scan, each by a network that never saw the scan's patient.

    Attributes:
        method: its name.
        hold_out: scanners that were held out.
        seed: of the trainings; `ENSEMBLE` for the mean over all seeds.
        table: identity, probabilities and `threshold` of each test scan.
    """

    method: str
    hold_out: tuple[str, ...]
    seed: int
    table: pd.DataFrame


def choose_strengths(
    results: Iterable[CellResult], manifest: pd.DataFrame, rule: str
) -> dict[tuple[str, Split], Strength]:
    """The strength of each method that validation chooses for each split.

    Args:
        results: of the first seed.
        manifest: of the study.
        rule: of choice, which also took the epoch of each.
    """
    candidates: dict[tuple[str, Split], list[CellResult]] = {}
    for result in results:
        candidates.setdefault((result.cell.method, result.cell.split), []).append(result)
    chosen = {}
    for key, found in candidates.items():
        ordered = sorted(found, key=lambda result: result.cell.key)
        position = 0
        if len(ordered) > 1:
            position = RULES[rule]([Candidate(validation_predictions(result, manifest, rule)) for result in ordered])
        chosen[key] = ordered[position].cell.strength
    return chosen


def validation_predictions(result: CellResult, manifest: pd.DataFrame, rule: str) -> Predictions:
    """A cell's validation scans at the epoch that the rule takes."""
    return check_predictions(with_identity(result.validation_of(rule), manifest))


def with_identity(table: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """Predictions by `slide_id` with specimen, patient, scanner and label."""
    return manifest[list(IDENTITY)].merge(table, on="slide_id", validate="one_to_one")


def pool_models(
    results: Iterable[CellResult], manifest: pd.DataFrame, plan: Plan, scheme: Scheme, rule: str
) -> list[Model]:
    """The models of a scheme whose folds are all there; of several seeds also their ensemble.

    Args:
        results: of any cells; of several strengths only those that `choose_strengths` takes.
        manifest: of the study.
        plan: of the study.
        scheme: whose models are wanted.
        rule: of choice.
    """
    cells = {(r.cell.method, r.cell.split, r.cell.seed): r for r in results if r.cell.split.scheme == scheme.name}
    models = []
    for method in plan.methods_of(scheme.name):
        for hold_out in scheme.hold_out:
            splits = [split for split in plan.splits() if (split.scheme, split.hold_out) == (scheme.name, hold_out)]
            seeds = [seed for seed in plan.seeds if all((method, split, seed) in cells for split in splits)]
            for seed in seeds:
                folds = [[cells[method, split, seed]] for split in splits]
                models.append(Model(method, hold_out, seed, _pooled(folds, manifest, rule)))
            if len(seeds) == len(plan.seeds) > 1:
                folds = [[cells[method, split, seed] for seed in seeds] for split in splits]
                models.append(Model(method, hold_out, ENSEMBLE, _pooled(folds, manifest, rule)))
    return models


def _pooled(folds: Sequence[Sequence[CellResult]], manifest: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Test scans of all folds; the probabilities of a fold are the mean over its cells, its threshold is of their mean."""
    tables = []
    for cells in folds:
        validation = mean_table([cell.validation_of(rule) for cell in cells])
        threshold = threshold_of(check_predictions(with_identity(validation, manifest)))
        test = mean_table([cell.test_of(rule) for cell in cells])
        tables.append(with_identity(test, manifest).assign(**{THRESHOLD: threshold}))
    return pd.concat(tables).sort_values("slide_id", ignore_index=True)


def mean_table(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The mean of several models' probabilities of the same scans."""
    first = tables[0].sort_values("slide_id", ignore_index=True)
    columns = probability_columns(first)
    values = [table.set_index("slide_id").loc[first["slide_id"], columns].to_numpy() for table in tables]
    return first.assign(**dict(zip(columns, np.mean(values, axis=0).T, strict=True)))


def logits_of(probability: np.ndarray) -> np.ndarray:
    """Log odds of probabilities of any shape."""
    bounded = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.log(bounded) - np.log1p(-bounded)


def shift_to_half(probability: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Probabilities whose logits are moved so that `threshold` lands on 0.5; what is at it or above stays at 0.5 or above.

    So models with thresholds of their own can be pooled in one table.
    """
    moved = 1 / (1 + np.exp(logits_of(np.asarray(threshold)) - logits_of(probability)))
    above = probability >= threshold
    return np.where(above, np.maximum(moved, 0.5), np.minimum(moved, np.nextafter(0.5, 0)))
