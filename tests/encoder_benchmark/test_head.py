"""The head learns what was planted, and is tested on other patients."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from scangen_bundle.encoder_benchmark import head
from scangen_bundle.encoder_benchmark.head import HeadSettings, cross_validate, deal_folds

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


def mean_auroc(table):
    return np.mean([roc_auc_score(scans.label, scans.probability) for _, scans in table.groupby("scanner")])


def test_a_planted_label_is_learnt_whatever_the_scale_and_no_label_is_not():
    assert mean_auroc(cross_validate(*cohort(2.0, scale=1e4), FAST)) > 0.95
    assert 0.2 < mean_auroc(cross_validate(*cohort(0.0), FAST)) < 0.75


def test_a_planted_scanner_moves_the_predictions():
    def spread(scanner_effect):
        table = cross_validate(*cohort(1.5, scanner_effect), FAST)
        return table.groupby("specimen_id").probability.std().mean()

    assert spread(4.0) > spread(0.0)


def test_each_scan_is_predicted_by_a_head_that_saw_other_patients(monkeypatch):
    seen = []
    train, predict = head.train_head, head._predict
    monkeypatch.setattr(head, "train_head", lambda items, *rest: seen.append([items, None]) or train(items, *rest))
    monkeypatch.setattr(
        head, "_predict", lambda head, items, *rest: seen[-1].__setitem__(1, items) or predict(head, items, *rest)
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


def test_three_classes():
    table = cross_validate(*cohort(4.0, classes=3), FAST)
    probability = table[["probability_0", "probability_1", "probability_2"]].to_numpy()
    assert probability.sum(axis=1) == pytest.approx(1)
    assert (probability.argmax(axis=1) == table.label).mean() > 0.5  # by chance 0.33
