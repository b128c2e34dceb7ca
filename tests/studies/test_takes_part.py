from __future__ import annotations

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.methods import METHODS, Needs
from scangen_bundle.studies.plan import Plan, Scheme
from scangen_bundle.studies.scans import SplitRules
from scangen_bundle.studies.takes_part import check_takes_part, grids_of, left_out, needs_in_words
from tests.studies.tables import scans

RULES = SplitRules(folds=3)


def reasons(*schemes, methods=("plain", "scangen", "standardise"), options=None, manifest=None):
    plan = Plan(methods, schemes, 3, (0,))
    return left_out(scans() if manifest is None else manifest, plan, RULES, options or {}, "nowhere")


def test_methods_whose_needs_are_met_take_part():
    assert reasons(Scheme("s", (("ga",),))) == {}


def test_a_method_that_needs_pairs_is_left_out_where_each_specimen_was_scanned_once():
    few = {"standardise": {"fewest_patients": 1}}
    found = reasons(Scheme("once", training="once"), Scheme("all"), options=few)
    assert set(found) == {("scangen", "once")}
    assert "several training scanners" in found["scangen", "once"]


def test_a_method_that_needs_more_patients_is_left_out():
    found = reasons(Scheme("all"), options={"standardise": {"fewest_patients": 50}})
    assert set(found) == {("standardise", "all")}
    assert "50" in found["standardise", "all"]


def test_a_method_that_has_to_know_every_scanner_is_left_out_where_no_training_patient_was_on_one():
    table = scans()
    number = table["patient_id"].str[1:].astype(int)
    table["split"] = number.map(lambda patient: "train" if patient < 12 else "val" if patient < 16 else "test")
    table = table[(table["scanner"] != "ga") | (table["split"] == "test")]
    plan = Plan(("standardise",), (Scheme("s", (("ga",),)),), 0, (0,))
    found = left_out(table, plan, SplitRules(folds=0), {}, "nowhere")
    assert "ga" in found["standardise", "s"]


def test_a_method_that_cannot_be_refitted_is_refused():
    table = scans()
    once = table[~table["specimen_id"].duplicated()].assign(split="train")
    with pytest.raises(InputError, match="several training scanners"):
        check_takes_part("scangen", once, {}, "nowhere")


def test_grids_are_those_of_the_class_unless_they_are_given_or_the_option_is_set():
    given = {"shrink": [{"strength": 2.0}, {"strength": 4.0}]}
    assert len(grids_of(("shrink",), {}, {})["shrink"]) == len(METHODS["shrink"].grid)
    assert grids_of(("shrink",), given, {})["shrink"] == (
        (("shrink", "strength", 2.0),),
        (("shrink", "strength", 4.0),),
    )
    assert grids_of(("shrink",), {}, {"shrink": {"strength": 7.0}}) == {"shrink": ((),)}
    assert grids_of(("shrink",), {"shrink": []}, {}) == {"shrink": ((),)}
    assert len(grids_of(("shrink+erase",), given, {})["shrink+erase"]) == 2 * len(METHODS["erase"].grid)
    assert grids_of(("plain",), {}, {}) == {"plain": ((),)}


def test_needs_are_told_in_words():
    assert needs_in_words(Needs()) == ""
    words = needs_in_words(Needs(pairs=True, scanner_name=True, new_scans=True, patients_per_scanner=5))
    for word in ("several training scanners", "scanner's name", "each new scanner", "5 patients"):
        assert word in words


def test_a_method_that_needs_tiles_under_virtual_scanners_is_left_out_without_them():
    found = reasons(Scheme("all"), methods=("plain", "virtual+agree"))
    assert "run banking" in found["virtual+agree", "all"]
