"""Measures of pooled models beside loops over specimens, on the observed patients and on the very same resamples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from scangen_bundle.measures.predictions import check_predictions
from scangen_bundle.statistics.bootstrap import PatientBootstrap
from scangen_bundle.studies.figures import resample, seeds_apart
from scangen_bundle.studies.models import ENSEMBLE, Model
from tests.studies.tables import predictions, scans

RESAMPLES = 4


def model(method="plain", hold_out=("ga",), seed=0, **options) -> Model:
    table = predictions(scans(), seed + 10 * len(method) + 100 * len(hold_out[0] if hold_out else ""), **options)
    rng = np.random.default_rng(seed)
    fold = table["patient_id"].map(lambda name: int(name[1:]) % 3)
    return Model(method, hold_out, seed, table.assign(threshold=fold.map(dict(enumerate(rng.uniform(0.3, 0.7, 3))))))


def loop(table: pd.DataFrame, unseen: list[str]) -> dict[str, float]:
    """A few measures by loops."""
    auroc = {name: roc_auc_score(rows["label"], rows["probability"]) for name, rows in table.groupby("scanner")}
    flips, half, differ, cov = [], [], {name: [] for name in unseen}, []
    for _, rows in table.groupby("specimen_id"):
        classes = (rows["probability"] >= rows["threshold"]).tolist()
        flips.append(len(set(classes)) > 1)
        half.append(len(set(rows["probability"] >= 0.5)) > 1)
        cov.append(rows["probability"].std() / rows["probability"].mean())
        logit = np.log(rows["probability"] / (1 - rows["probability"]))
        moved = logit - np.log(rows["threshold"] / (1 - rows["threshold"]))
        consensus = moved[~rows["scanner"].isin(unseen)].mean() >= 0
        for name in unseen:
            differ[name].append(consensus != (moved[rows["scanner"] == name].iloc[0] >= 0))
    return {
        "auroc/mean": np.mean(list(auroc.values())),
        "auroc/worst": min(auroc.values()),
        "auroc/mean_unseen": np.mean([auroc[name] for name in unseen]),
        "flip_rate": np.mean(flips),
        "flip_rate_at_half": np.mean(half),
        "cov": np.mean(cov),
        "brier/mean": np.mean(
            [((rows["probability"] - rows["label"]) ** 2).mean() for _, rows in table.groupby("scanner")]
        ),
        "unseen_disagreement/mean": np.mean([np.mean(values) for values in differ.values()]),
    }


def repeated(table: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
    parts = []
    for patient, weight in zip(sorted(table["patient_id"].unique()), weights, strict=True):
        rows = table[table["patient_id"] == patient]
        for turn in range(weight):
            renamed = {name: rows[name] + f"_{turn}" for name in ("slide_id", "specimen_id", "patient_id")}
            parts.append(rows.assign(**renamed))
    return pd.concat(parts)


def test_means_over_seeds_and_held_out_scanners_are_those_of_loops_on_every_resample():
    models = [model(hold_out=(name,), seed=seed) for name in ("ga", "gb") for seed in (0, 1)]
    samples = resample(models, resamples=RESAMPLES, seed=3)
    found = samples.mean(models)
    strata = check_predictions(models[0].table.drop(columns="threshold")).strata()
    weights = list(PatientBootstrap(strata, RESAMPLES, 3, jackknife=False).rows())
    for row, of_patients in enumerate(weights):
        loops = [loop(repeated(m.table, of_patients), list(m.hold_out)) for m in models]
        for key in loops[0]:
            value = found.observed[key] if row == 0 else found.samples[key][row - 1]
            assert value == pytest.approx(np.mean([each[key] for each in loops])), key


def test_held_out_scanners_count_alike_where_one_lacks_a_seed():
    models = [model(hold_out=("ga",), seed=0), model(hold_out=("ga",), seed=1), model(hold_out=("gb",), seed=0)]
    found = resample(models, resamples=2).mean(models).observed["flip_rate"]
    first, second, third = (loop(m.table, list(m.hold_out))["flip_rate"] for m in models)
    assert found == pytest.approx(((first + second) / 2 + third) / 2)


def test_scanners_that_nobody_trains_on_are_apart():
    one = model(hold_out=("ga",))
    found = resample([one], never_train=("gd",), resamples=2).mean([one]).observed
    without = one.table[one.table["scanner"] != "gd"]
    expected = loop(without, ["ga"])
    assert {key: found[key] for key in expected} == pytest.approx(expected)
    far = loop(one.table[one.table["scanner"] != "ga"], ["gd"])
    assert found["far_auroc/mean"] == pytest.approx(far["auroc/mean_unseen"])
    assert found["far_auroc/gd"] == pytest.approx(far["auroc/mean_unseen"])
    assert found["far_unseen_disagreement/mean"] == pytest.approx(far["unseen_disagreement/mean"])


def test_all_models_share_the_resamples():
    first, second = model("plain"), Model("copy", ("ga",), 0, model("plain").table)
    samples = resample([first, second], resamples=20)
    one, other = samples.mean([first]), samples.mean([second])
    assert all(np.array_equal(one.samples[key], other.samples[key], equal_nan=True) for key in one.samples)


def test_models_of_other_scans_are_refused():
    whole, part = model("plain"), model("other")
    with pytest.raises(ValueError, match="tested on other scans"):
        resample([whole, Model("other", ("ga",), 0, part.table.iloc[4:])])


def test_seeds_are_apart_and_ensembles_left_out():
    models = [model(seed=seed) for seed in (0, 1)]
    assert seeds_apart([*models, Model("plain", ("ga",), ENSEMBLE, models[0].table)]) == {
        0: [models[0]],
        1: [models[1]],
    }


def test_three_classes_have_the_measures_that_exist_for_them():
    table = scans()
    probability = np.random.default_rng(0).dirichlet([1, 1, 1], len(table))
    table["label"] = [int(patient[1:]) % 3 for patient in table["patient_id"]]
    table = table.assign(**{f"probability_{c}": probability[:, c] for c in range(3)}, threshold=0.5)
    one = Model("plain", ("ga",), 0, table)
    found = resample([one], resamples=2).mean([one]).observed
    flips = [
        rows[[f"probability_{c}" for c in range(3)]].to_numpy().argmax(axis=1)
        for _, rows in table.groupby("specimen_id")
    ]
    assert found["flip_rate"] == pytest.approx(np.mean([len(set(classes)) > 1 for classes in flips]))
    assert np.isfinite(found["auroc/mean"])
