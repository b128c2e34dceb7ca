"""The head learns what was planted, is tested on other patients, and its figures are those of its predictions."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from scangen_bundle.encoder_benchmark import downstream
from scangen_bundle.encoder_benchmark.downstream import HeadSettings, cross_validate, deal_folds, downstream_figures

FAST = HeadSettings(folds=3, max_epochs=8, num_tiles=6, width=16)


def cohort(label_effect=0.0, scanner_effect=0.0, patients=18, classes=2, scale=1.0, seed=0):
    generator = np.random.default_rng(seed)
    of_label, of_scanner = generator.normal(size=(classes, 12)), generator.normal(size=(3, 12))
    rows, tiles = [], {}
    for patient in range(patients):
        label = patient % classes
        tissue = generator.normal(size=12) + label_effect * of_label[label]
        for scanner in range(3):
            slide = f"s{patient}_{scanner}"
            rows.append([slide, f"s{patient}", f"p{patient}", f"scanner-{scanner}", label])
            count = generator.integers(4, 9)
            shift = scanner_effect * of_scanner[scanner]
            tiles[slide] = (scale * (tissue + shift + generator.normal(size=(count, 12)))).astype(np.float32)
    return tiles, pd.DataFrame(rows, columns=["slide_id", "specimen_id", "patient_id", "scanner", "label"])


def test_a_planted_label_is_learnt_whatever_the_scale_and_no_label_is_not():
    found, _ = downstream_figures(*cohort(2.0, scale=1e4), FAST, resamples=50)
    assert found["downstream/auroc_mean"]["value"] > 0.95
    nothing, _ = downstream_figures(*cohort(0.0), FAST, resamples=50)
    entry = nothing["downstream/auroc_mean"]
    assert entry["low"] < 0.5 == entry["baseline"]


def test_figures_are_those_of_the_predictions():
    found, table = downstream_figures(*cohort(0.7, 1.0), FAST, resamples=20)
    for scanner, scans in table.groupby("scanner"):
        value = found[f"downstream/auroc@{scanner}"]["value"]
        assert value == pytest.approx(roc_auc_score(scans.label, scans.probability))
        gap = found[f"downstream/calibration_gap@{scanner}"]["value"]
        assert gap == pytest.approx(scans.probability.mean() - scans.label.mean())
    gaps = table.groupby("scanner").probability.mean()  # labels are alike on all scanners
    assert found["downstream/calibration_drift"]["value"] == pytest.approx(gaps.max() - gaps.min())
    wide = table.pivot(index="specimen_id", columns="scanner", values="probability")
    assert found["downstream/cov"]["value"] == pytest.approx((wide.std(axis=1) / wide.mean(axis=1)).mean())
    flips = (wide >= 0.5).nunique(axis=1) > 1
    assert found["downstream/flip_rate"]["value"] == pytest.approx(flips.mean())
    assert found["downstream/flip_rate"]["baseline"] > found["downstream/flip_rate"]["value"]


def test_a_planted_scanner_raises_flips_and_calibration_drift():
    (without, _), (planted, _) = (downstream_figures(*cohort(1.5, effect), FAST, resamples=0) for effect in (0.0, 4.0))
    for key in ("downstream/cov", "downstream/calibration_drift"):
        assert planted[key]["value"] > without[key]["value"]


def test_each_scan_is_predicted_by_a_head_that_saw_other_patients(monkeypatch):
    seen = []
    train, predict = downstream.train_head, downstream._predict
    monkeypatch.setattr(
        downstream, "train_head", lambda items, *rest: seen.append([items, None]) or train(items, *rest)
    )
    monkeypatch.setattr(
        downstream, "_predict", lambda head, items, *rest: seen[-1].__setitem__(1, items) or predict(head, items, *rest)
    )
    tiles, manifest = cohort()
    cross_validate(tiles, manifest, FAST)
    patient = manifest.set_index("slide_id").patient_id
    tested = []
    for train_items, test_items in seen:
        sides = [{patient[item["slide_id"]] for item in items} for items in (train_items, test_items)]
        assert not sides[0] & sides[1]
        tested += [item["slide_id"] for item in test_items]
    assert sorted(tested) == sorted(manifest.slide_id)


def test_folds_keep_patients_and_deal_classes_evenly():
    patient = np.repeat(np.arange(11), 3)
    label = np.where(patient < 3, 1, 0)
    label[-1] = 1  # patient 10 has both classes: the rarer counts
    fold = deal_folds(label, patient, 3, seed=1)
    of_patient = pd.Series(fold).groupby(patient)
    assert (of_patient.nunique() == 1).all()
    rare = of_patient.first()[[0, 1, 2, 10]]
    assert sorted(np.bincount(rare, minlength=3)) == [1, 1, 2]
    assert sorted(np.bincount(of_patient.first())) == [3, 4, 4]


def test_a_seed_gives_the_same_predictions_and_leaves_the_global_state():
    tiles, manifest = cohort()
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first = cross_validate(tiles, manifest, FAST, seed=3)
    assert torch.rand(1) == expected
    pd.testing.assert_frame_equal(first, cross_validate(tiles, manifest, FAST, seed=3))


def test_three_classes_and_unlabelled_scans():
    tiles, manifest = cohort(4.0, classes=3)
    manifest.loc[manifest.patient_id == "p0", "label"] = -1
    found, table = downstream_figures(tiles, manifest, FAST, resamples=20)
    assert "p0" not in set(table.patient_id)
    assert table[["probability_0", "probability_1", "probability_2"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert found["downstream/auroc_mean"]["value"] > 0.8


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (lambda t: -1, "no labels"),
        (lambda t: 1, "one class only"),
        (lambda t: (t.patient_id == "p0").astype(int), "fewer than"),
    ],
)
def test_what_is_undefined_says_why(labels, reason):
    tiles, manifest = cohort()
    found, table = downstream_figures(tiles, manifest.assign(label=labels(manifest)), FAST)
    assert table is None
    assert all(reason in entry["reason"] for entry in found.values())
