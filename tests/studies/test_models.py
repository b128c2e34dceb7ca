from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.studies.models import (
    ENSEMBLE,
    choose_strengths,
    logits_of,
    mean_table,
    pool_models,
    shift_to_half,
)
from scangen_bundle.studies.plan import Cell, Plan, Scheme, Split
from scangen_bundle.studies.results import CellResult, Cost
from scangen_bundle.studies.scans import SplitRules, split_scans
from tests.studies.tables import predictions, scans

MANIFEST = scans()
SCHEME = Scheme("one out", (("ga",), ("gb",)))
PLAN = Plan(("plain", "other"), (SCHEME,), 3, (0, 1))


def result(cell: Cell, seed: int = 0, **options) -> CellResult:
    """A cell's predictions at epochs 5 and 10, drawn at random."""
    table = split_scans(MANIFEST, cell.split, SCHEME, cell.seed, SplitRules(folds=3))
    validation, test = [], []
    for epoch in (5, 10):
        drawn = predictions(table, seed + epoch + cell.seed, **options)[["slide_id", "split", "probability"]]
        rows = drawn.assign(epoch=epoch)
        validation.append(rows[rows["split"] == "val"].drop(columns="split"))
        test.append(rows[rows["split"] == "test"].drop(columns="split"))
    epochs = {"nll": 5, "last": 10}
    return CellResult(cell, pd.concat(validation), pd.concat(test), epochs, Cost(1, 1, 1, 1, "cpu"))


def all_results(plan=PLAN):
    cells = [*plan.first_cells(), *plan.later_cells({(m, s): () for m in plan.methods for s in plan.splits()})]
    return [result(cell, number) for number, cell in enumerate(cells)]


def test_a_model_has_every_test_scan_once_at_the_epoch_of_the_rule():
    results = all_results()
    models = pool_models(results, MANIFEST, PLAN, SCHEME, "last")
    assert {(model.method, model.hold_out, model.seed) for model in models} == {
        (method, hold_out, seed) for method in PLAN.methods for hold_out in SCHEME.hold_out for seed in (0, 1, ENSEMBLE)
    }
    model = next(m for m in models if (m.method, m.hold_out, m.seed) == ("other", ("gb",), 1))
    assert sorted(model.table["slide_id"]) == sorted(MANIFEST["slide_id"])
    for result in results:
        if (result.cell.method, result.cell.split.hold_out, result.cell.seed) == ("other", ("gb",), 1):
            expected = result.test[result.test["epoch"] == 10].set_index("slide_id")["probability"]
            found = model.table.set_index("slide_id").loc[expected.index]
            assert (found["probability"] == expected).all()
            assert found["threshold"].nunique() == 1


def test_each_folds_threshold_is_the_best_of_its_validation_scans():
    results = all_results()
    model = pool_models(results, MANIFEST, PLAN, SCHEME, "nll")[0]
    for result in results:
        if (result.cell.method, result.cell.split.hold_out, result.cell.seed) == ("plain", ("ga",), 0):
            validation = result.validation[result.validation["epoch"] == 5].merge(MANIFEST, on="slide_id")
            threshold = model.table.set_index("slide_id").loc[result.test["slide_id"], "threshold"].iloc[0]
            best = max(youden(validation, value) for value in validation["probability"])
            assert youden(validation, threshold) == pytest.approx(best)


def youden(table, threshold):
    positive = table["probability"] >= threshold
    return positive[table["label"] == 1].mean() - positive[table["label"] == 0].mean()


def test_the_ensemble_is_the_mean_of_the_seeds():
    models = pool_models(all_results(), MANIFEST, PLAN, SCHEME, "nll")
    first, second, ensemble = (
        next(m for m in models if (m.method, m.hold_out, m.seed) == ("plain", ("ga",), seed))
        for seed in (0, 1, ENSEMBLE)
    )
    mean = (first.table["probability"] + second.table["probability"]) / 2
    assert ensemble.table["probability"].to_numpy() == pytest.approx(mean.to_numpy())


def test_a_model_without_all_of_its_folds_is_left_out_and_its_ensemble_too():
    results = [
        r
        for r in all_results()
        if (r.cell.method, r.cell.split, r.cell.seed) != ("plain", Split("one out", ("ga",), 2), 1)
    ]
    models = pool_models(results, MANIFEST, PLAN, SCHEME, "nll")
    seeds = [m.seed for m in models if (m.method, m.hold_out) == ("plain", ("ga",))]
    assert seeds == [0]


def test_validation_chooses_the_strength_of_each_split():
    strengths = [(("other", "weight", 1),), (("other", "weight", 2),)]
    splits = list(PLAN.splits())[:2]
    good = dict(zip(splits, strengths, strict=True))
    results = []
    for split in splits:
        for strength in strengths:
            effect = 3.0 if good[split] == strength else 0.1
            results.append(result(Cell("other", split, 0, strength), 0, effect=effect))
    assert choose_strengths(results, MANIFEST, "nll") == {("other", split): good[split] for split in splits}


def test_the_mean_is_over_the_same_scans_in_any_order():
    table = pd.DataFrame({"slide_id": ["b", "a", "c"], "probability": [0.2, 0.4, 0.6]})
    other = pd.DataFrame({"slide_id": ["c", "b", "a"], "probability": [0.8, 0.0, 0.6]})
    assert mean_table([table, other])["probability"].tolist() == pytest.approx([0.5, 0.1, 0.7])


def test_a_shifted_table_decides_at_half_as_the_threshold_did():
    rng = np.random.default_rng(0)
    probability = rng.random(2000)
    threshold = np.where(rng.random(2000) < 0.5, probability, rng.random(2000))
    shifted = shift_to_half(probability, threshold)
    assert ((shifted >= 0.5) == (probability >= threshold)).all()
    gaps = logits_of(shifted) - (logits_of(probability) - logits_of(threshold))
    assert np.abs(gaps).max() < 1e-6
