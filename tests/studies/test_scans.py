from __future__ import annotations

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.studies.plan import Plan, Scheme, Split
from scangen_bundle.studies.scans import SplitRules, check_study, split_scans
from tests.studies.tables import SCANNERS, scans

RULES = SplitRules(folds=3)


def split(scheme=None, hold_out=(), fold=0, seed=0, rules=RULES, manifest=None):
    scheme = scheme or Scheme("s")
    return split_scans(scans() if manifest is None else manifest, Split("s", hold_out, fold), scheme, seed, rules)


def of(table, part):
    return table[table["split"] == part]


def plan(*schemes, folds=3):
    return Plan(("plain",), schemes or (Scheme("s"),), folds, (0,))


def test_every_patient_is_tested_once_and_never_trained_on_in_that_fold():
    tested = []
    for fold in range(3):
        table = split(hold_out=("ga",), fold=fold)
        test = set(of(table, "test")["patient_id"])
        assert not test & set(table[table["split"].isin(["train", "val"])]["patient_id"])
        assert set(of(table, "test")["scanner"]) == set(SCANNERS)
        tested += sorted(test)
    assert sorted(tested) == sorted(scans()["patient_id"].unique())


def test_scanners_held_out_and_never_trained_on_are_tested_alone():
    table = split(hold_out=("ga",), rules=SplitRules(folds=3, never_train=("gd",)))
    for part in ("train", "val"):
        assert set(of(table, part)["scanner"]) == {"gb", "gc"}


def test_the_manifests_own_split_is_kept():
    manifest = split()
    same = split(fold=-1, rules=SplitRules(folds=0), manifest=manifest)
    assert (same["split"] == manifest["split"]).all()


def test_folds_do_not_depend_on_the_seed_or_on_the_scheme():
    first, second = split(seed=0), split(Scheme("s", training="once"), seed=5)
    assert (of(first, "test")["slide_id"] == of(second, "test")["slide_id"]).all()


def test_once_keeps_one_scan_of_each_specimen_and_all_scanners():
    table = split(Scheme("s", training="once"))
    for part in ("train", "val"):
        assert not of(table, part)["specimen_id"].duplicated().any()
        assert set(of(table, part)["specimen_id"]) == set(of(split(), part)["specimen_id"])
    for _, rows in of(table, "train").groupby("label"):
        assert rows["scanner"].value_counts().max() - rows["scanner"].value_counts().min() <= 1
    assert len(of(table, "test")) == len(of(split(), "test"))


def test_few_keeps_so_many_specimens_of_each_class():
    table = of(split(Scheme("s", training="few", amount=6)), "train")
    assert table["specimen_id"].nunique() == 6
    assert table.groupby("label")["specimen_id"].nunique().tolist() == [3, 3]
    other = of(split(Scheme("s", training="few", amount=6), seed=1), "train")
    assert set(table["specimen_id"]) != set(other["specimen_id"])


def test_confounded_gives_each_label_a_scanner():
    table = of(split(Scheme("s", training="confounded", amount=1.0)), "train")
    assert not table["specimen_id"].duplicated().any()
    assert table.groupby("label")["scanner"].unique().map(list).tolist() == [["ga"], ["gb"]]
    most = of(split(Scheme("s", training="confounded", amount=0.6)), "train")
    assert set(most.groupby("label")["scanner"].nunique()) == {2}


def test_a_sound_study_passes():
    check_study(scans(), plan(Scheme("s"), Scheme("t", (("ga",), ("gb", "gc")))), RULES)


@pytest.mark.parametrize(
    ("manifest", "schemes", "rules", "message"),
    [
        (scans(scanners=("ga",)), [], RULES, "one scanner"),
        (scans(4), [], RULES, "class 0: 2 patients are too few for 3 folds"),
        (scans().assign(label=0), [], RULES, "fewer than two classes"),
        (scans(), [Scheme("s", (("gx",),))], RULES, "'gx': no scan"),
        (scans(), [], SplitRules(3, never_train=("gy",)), "'gy': no scan"),
        (scans(), [Scheme("s", (SCANNERS,))], RULES, "no training scan"),
        (scans(), [], SplitRules(folds=0), "have no split"),
        (
            scans().assign(label=lambda t: t["label"].where(t["scanner"] != "gb", -1)),
            [Scheme("s", (("gb",),))],
            RULES,
            "'gb': it has no labelled",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_training(manifest, schemes, rules, message):
    with pytest.raises(InputError, match=message):
        check_study(manifest, plan(*schemes, folds=rules.folds), rules)


def test_a_class_that_a_split_lacks_is_named_with_its_fold():
    manifest = scans(12)
    positive = (manifest["label"] == 1) & (manifest["patient_id"] != "p01")
    manifest = manifest[~positive | (manifest["scanner"] == "gd")]  # without gd only p01 is positive
    with pytest.raises(InputError, match=r"fold \d without gd: no train patient has class 1"):
        check_study(manifest, plan(Scheme("s", (("gd",),))), RULES)


def test_all_problems_come_in_one_message():
    with pytest.raises(InputError) as error:
        check_study(scans(4), plan(Scheme("s", (("gx",), ("gy",)))), RULES)
    assert all(word in str(error.value) for word in ("gx", "gy", "class 0", "class 1"))
