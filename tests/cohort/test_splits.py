import logging
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.cohort import check_splits, hold_out_scanner, k_fold, resolve_splits, split_patients
from scangen_bundle.errors import InputError

SCANNERS = ["AT2", "GT450", "P1000"]


def cohort(patients=40, positive=0.3, specimens=2, scanners=SCANNERS) -> pd.DataFrame:
    """Every specimen on every scanner; the first patients are positive."""
    rows = [
        (f"p{p:02}s{s}_{name}", f"p{p:02}s{s}", f"p{p:02}", name, int(p < positive * patients), "")
        for p in range(patients)
        for s in range(specimens)
        for name in scanners
    ]
    return pd.DataFrame(rows, columns=["slide_id", "specimen_id", "patient_id", "scanner", "label", "split"])


def patients_per(frame: pd.DataFrame) -> Counter:
    """Number of patients per (split, label)."""
    return Counter(zip(*frame.drop_duplicates("patient_id")[["split", "label"]].to_numpy().T, strict=True))


def splits_of(frame: pd.DataFrame) -> dict[str, str]:
    return dict(zip(frame["slide_id"], frame["split"], strict=True))


def test_split_keeps_patients_whole_and_classes_in_proportion():
    frame = split_patients(cohort(), (0.5, 0.25, 0.25), seed=1)
    assert (frame.groupby("patient_id")["split"].nunique() == 1).all()
    assert patients_per(frame) == {
        ("train", 0): 14, ("val", 0): 7, ("test", 0): 7, ("train", 1): 6, ("val", 1): 3, ("test", 1): 3,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("patients", [7, 23, 50])
@pytest.mark.parametrize("fractions", [(0.6, 0.2, 0.2), (0.7, 0.1, 0.2), (0.34, 0.33, 0.33), (0.8, 0.0, 0.2)])
def test_share_of_every_class_is_off_by_less_than_one_patient(seed, patients, fractions):
    frame = split_patients(cohort(patients, specimens=1), fractions, seed)
    counts = patients_per(frame)
    for label in (0, 1):
        total = sum(count for (_, y), count in counts.items() if y == label)
        for split, fraction in zip(("train", "val", "test"), fractions, strict=True):
            assert abs(counts[split, label] - fraction * total) < 1
            if total >= 4 and fraction:
                assert counts[split, label] > 0


def test_rare_class_of_three_is_in_every_split():
    counts = patients_per(split_patients(cohort(30, positive=0.1), seed=0))
    assert [counts[split, 1] for split in ("train", "val", "test")] == [1, 1, 1]


def test_split_depends_on_the_seed_only():
    frame = cohort()
    shuffled = frame.sample(frac=1, random_state=0)
    assert splits_of(split_patients(frame, seed=3)) == splits_of(split_patients(shuffled, seed=3))
    assert splits_of(split_patients(frame, seed=3)) != splits_of(split_patients(frame, seed=4))


def test_split_is_the_same_on_every_platform():
    # Ordered by hand (`echo -n 0:p00 | sha256sum` ...): p03, p02, p00, p01, p04; of five, 3 train, 1 val, 1 test.
    frame = split_patients(cohort(5, positive=0, specimens=1, scanners=["A"]), seed=0)
    assert frame["split"].tolist() == ["train", "val", "train", "train", "test"]


def test_seeds_give_every_patient_every_split():
    frame = cohort(10, positive=0, specimens=1, scanners=["A"])
    tested = [set(split_patients(frame, seed=seed).query("split == 'test'")["patient_id"]) for seed in range(100)]
    times = Counter(patient for patients in tested for patient in patients)
    assert sum(times.values()) == 200
    assert min(times[patient] for patient in frame["patient_id"]) > 8  # 20 are expected, with a deviation of 4


def test_patient_with_several_labels_counts_by_its_commonest_or_larger_label():
    # p0: two specimens 0, one 1, though more scans of 1 -> stratum 0; p1: a tie -> stratum 1.
    rows = [("p0", "a", 0)] + [("p0", "b", 0)] + [("p0", "c", 1)] * 4 + [("p1", "d", 0), ("p1", "e", 1)]
    rows += [("p2", "f", 0), ("p3", "g", 1)]
    frame = pd.DataFrame(rows, columns=["patient_id", "specimen_id", "label"]).assign(split="")
    for seed in range(10):
        split = split_patients(frame, (0.5, 0.0, 0.5), seed)
        assert (split.groupby("patient_id")["split"].nunique() == 1).all()
        of = dict(zip(split["patient_id"], split["split"], strict=True))
        assert {of["p0"], of["p2"]} == {of["p1"], of["p3"]} == {"train", "test"}


@pytest.mark.parametrize("labels", [(1, -1), (-1, 1)])
def test_unlabelled_scan_does_not_hide_the_label_of_its_specimen(labels):
    rows = [(f"p{p}", f"s{p}", label) for p in range(4) for label in (labels if p < 2 else (0, -1))]
    frame = pd.DataFrame(rows, columns=["patient_id", "specimen_id", "label"]).assign(split="")
    for seed in range(5):
        split = split_patients(frame, (0.5, 0.0, 0.5), seed).drop_duplicates("patient_id")["split"].tolist()
        assert set(split[:2]) == set(split[2:]) == {"train", "test"}


def test_unlabelled_patients_are_split_among_themselves():
    frame = cohort(20)
    frame.loc[frame["patient_id"] >= "p10", "label"] = -1
    counts = patients_per(split_patients(frame, (0.6, 0.2, 0.2)))
    assert [counts[split, -1] for split in ("train", "val", "test")] == [6, 2, 2]


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.6, 0.3, 0.2), (1.2, -0.2, 0.0)])
def test_fractions_that_are_no_shares_are_refused(fractions):
    with pytest.raises(InputError, match="three shares"):
        split_patients(cohort(), fractions)


@pytest.mark.parametrize("folds", [2, 3, 5, 7])
def test_folds_test_every_patient_once_and_differ_by_one_patient_of_a_class(folds):
    frames = k_fold(cohort(), folds, seed=2)
    tested = [frame.loc[frame["split"] == "test", "patient_id"].unique() for frame in frames]
    assert sorted(np.concatenate(tested)) == sorted(cohort()["patient_id"].unique())
    assert np.ptp([len(patients) for patients in tested]) <= 1
    for label in (0, 1):
        assert np.ptp([patients_per(frame)["test", label] for frame in frames]) <= 1
    for frame in frames:
        assert (frame.groupby("patient_id")["split"].nunique() == 1).all()
        assert {"train", "val", "test"} == set(frame["split"])


def test_validation_patients_of_a_fold_are_its_share_of_the_other_patients():
    frame = k_fold(cohort(40, positive=0.5), 5, seed=2, validation_fraction=0.25)[0]
    assert patients_per(frame) == Counter(
        {(split, label): count for split, count in [("train", 12), ("val", 4), ("test", 4)] for label in (0, 1)}
    )


def test_folds_do_not_depend_on_the_order_of_the_rows():
    shuffled = cohort().sample(frac=1, random_state=0)
    for one, other in zip(k_fold(cohort(), 3, seed=1), k_fold(shuffled, 3, seed=1), strict=True):
        assert splits_of(one) == splits_of(other)


@pytest.mark.parametrize(("folds", "fraction"), [(1, 0.2), (41, 0.2), (3, 1.0), (3, -0.1)])
def test_folds_that_cannot_be_are_refused(folds, fraction):
    with pytest.raises(InputError):
        k_fold(cohort(), folds, validation_fraction=fraction)


@pytest.mark.parametrize("unseen", ["GT450", ["GT450"], ["GT450", "AT2"]])
@pytest.mark.parametrize("seen_in_test", [False, True])
def test_held_out_scanner_is_tested_on_test_patients_and_never_trained_on(unseen, seen_in_test):
    before = split_patients(cohort(), seed=0)
    after = hold_out_scanner(before, unseen, seen_scanners_in_test=seen_in_test)
    names = [unseen] if isinstance(unseen, str) else unseen
    for old, new, scanner in zip(before["split"], after["split"], after["scanner"], strict=True):
        if scanner in names:
            assert new == ("test" if old == "test" else "excluded")
        else:
            assert new == ("excluded" if old == "test" and not seen_in_test else old)
    used = after[after["split"].isin(["train", "val"])]
    assert not set(used["scanner"]) & set(names)
    assert not set(used["patient_id"]) & set(after.loc[after["split"] == "test", "patient_id"])


def test_unknown_scanner_is_refused_with_those_known():
    with pytest.raises(InputError, match=r"\['GT45O'\] is not in the manifest.*'AT2', 'GT450', 'P1000'"):
        hold_out_scanner(split_patients(cohort()), ["AT2", "GT45O"], False)


def test_scanner_without_test_patients_cannot_be_held_out():
    frame = split_patients(cohort(), seed=0)
    frame.loc[(frame["scanner"] == "AT2") & (frame["split"] == "test"), "split"] = "excluded"
    with pytest.raises(InputError, match="no test patient was scanned on"):
        hold_out_scanner(frame, "AT2", True)


def test_holding_out_every_scanner_is_refused():
    with pytest.raises(InputError, match="no training scan is left"):
        hold_out_scanner(split_patients(cohort()), SCANNERS, True)


def test_check_finds_leaks_and_unassigned_scans_all_at_once():
    frame = pd.DataFrame(
        [
            ("a", "s1", "p1", "A", "train"),
            ("b", "s1", "p1", "B", "test"),
            ("c", "s2", "p2", "A", ""),
            ("d", "s3", "p3", "A", "excluded"),
            ("e", "s3", "p3", "A", "test"),
            ("f", "s4", "p4", "B", "val"),
        ],
        columns=["slide_id", "specimen_id", "patient_id", "scanner", "split"],
    )
    with pytest.raises(InputError) as caught:
        check_splits(frame, unseen_scanner="B")
    lines = [line.strip() for line in str(caught.value).split(" -> ")[0].splitlines()[1:]]
    assert lines == [
        "slide c: split '', expected train, val, test, excluded",
        "slide a: its patient is in test and train",
        "slide b: its patient is in test and train",
        "slide a: its specimen is in test and train",
        "slide b: its specimen is in test and train",
        "slide f: scanner 'B' should be unseen, but is in val",
    ]
    check_splits(frame[frame["slide_id"].isin(["a", "d", "e"])])


def test_check_accepts_a_cohort_of_which_nothing_is_used():
    check_splits(cohort(2).assign(split="excluded"))


def test_resolved_splits_do_not_depend_on_the_order_of_the_rows():
    frame = resolve_splits(cohort(), unseen_scanner="P1000", seed=5)
    again = resolve_splits(cohort().sample(frac=1, random_state=0), unseen_scanner=["P1000"], seed=5)
    assert splits_of(again) == splits_of(frame)


def test_splits_of_the_manifest_are_kept_and_a_scanner_is_held_out_of_them():
    own = split_patients(cohort(), seed=9)
    assert splits_of(resolve_splits(own, seed=1)) == splits_of(own)
    held = resolve_splits(own, seed=1, unseen_scanner="AT2", seen_scanners_in_test=False)
    assert splits_of(held) == splits_of(hold_out_scanner(own, "AT2", False))


def test_splits_of_the_manifest_that_leak_or_are_filled_in_part_are_refused():
    leaking = split_patients(cohort())
    leaking.loc[0, "split"] = "test" if leaking.loc[0, "split"] != "test" else "train"
    with pytest.raises(InputError, match="its patient is in"):
        resolve_splits(leaking)
    partly = split_patients(cohort())
    partly.loc[3, "split"] = ""
    with pytest.raises(InputError, match="slide p00s1_AT2: split ''"):
        resolve_splits(partly)


def test_resolved_fold_is_that_of_k_fold_with_the_ratio_of_train_to_val():
    expected = k_fold(cohort(), 4, 1, 0.25)[2]
    assert splits_of(resolve_splits(cohort(), fractions=(0.6, 0.2, 0.2), seed=1, fold=2, folds=4)) == splits_of(
        expected
    )


@pytest.mark.parametrize(("fold", "folds"), [(4, 4), (-1, 4), (None, 4), (1, None)])
def test_fold_that_is_not_there_is_refused(fold, folds):
    with pytest.raises(InputError):
        resolve_splits(cohort(), fold=fold, folds=folds)


def test_folds_of_a_manifest_with_its_own_splits_are_refused():
    with pytest.raises(InputError, match="splits of its own"):
        resolve_splits(split_patients(cohort()), fold=0, folds=3)


def test_class_that_is_absent_from_a_split_is_warned_about(caplog):
    with caplog.at_level(logging.WARNING):
        resolve_splits(cohort(20, positive=0.1))
    assert "the split val has no scan with label [1]" in caplog.text  # of two such patients, one trains, one tests
    caplog.clear()
    resolve_splits(cohort())
    assert caplog.text == ""
