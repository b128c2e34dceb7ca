"""Which scans a method gets, and whether it can be used with them."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from scangen_bundle.bags.virtual import bank_path, write_bank
from scangen_bundle.cohort import hold_out_scanner
from scangen_bundle.data import admit_scanners, check_needs, make_records, scans_of, training_scans
from scangen_bundle.data.scans import with_reading_bar
from scangen_bundle.errors import InputError
from scangen_bundle.methods import Method, Needs, create_method, fit_method, scanner_keys

from .cohort import FEATURES, read_cohort, write_cohort, write_cohort_bag


@pytest.fixture
def cohort(tmp_path):
    """Twelve specimens on three scanners; patients 0 to 6 train, 7 to 8 validate, the others test."""
    manifest = read_cohort(write_cohort(tmp_path, specimens=12))
    number = manifest.patient_id.str[1:].astype(int)
    return manifest.assign(split=np.where(number < 7, "train", np.where(number < 9, "val", "test")))


def scans(manifest):
    return training_scans(manifest, "", num_features=FEATURES)


def test_training_patients_alone_take_part(cohort):
    assert {scan.patient for scan in scans(cohort)} == {f"p{number:03d}" for number in range(7)}
    assert not any(scan.held_out for scan in scans(cohort))
    row = cohort[cohort.slide_id == "p003_s1"].iloc[0]
    (scan,) = [scan for scan in scans(cohort) if scan.slide_id == "p003_s1"]
    expected = (row.specimen_id, row.patient_id, row.scanner, row.label)
    assert (scan.specimen, scan.patient, scan.scanner, scan.label) == expected


def test_scans_on_a_scanner_held_out_are_marked_and_those_left_out_are_not_there(cohort):
    held_out = hold_out_scanner(cohort, "scanner 2", True)
    assert {scan.scanner for scan in scans(held_out) if scan.held_out} == {"scanner 2"}
    assert {scan.patient for scan in scans(held_out)} == {f"p{number:03d}" for number in range(7)}
    left_out = cohort.assign(split=cohort.split.mask(cohort.slide_id == "p000_s1", "excluded"))
    assert "p000_s1" not in {scan.slide_id for scan in scans(left_out)}


def test_no_bag_is_opened_before_a_method_reads_it(cohort):
    gone = cohort.assign(features_path="/nowhere/" + cohort.slide_id + ".h5")
    with pytest.raises(InputError, match="nowhere"):
        scans(gone)[0].read(None)


def test_evenly_spaced_tiles_are_read(cohort):
    features = np.random.default_rng(0).normal(size=(9, FEATURES)).astype(np.float32)
    write_cohort_bag(cohort[cohort.slide_id == "p000_s0"].features_path.item(), "p000_s0", features)
    (scan,) = [scan for scan in scans(cohort) if scan.slide_id == "p000_s0"]
    np.testing.assert_array_equal(scan.read(3), features[[0, 4, 8]])
    np.testing.assert_array_equal(scan.read(None), features)
    np.testing.assert_array_equal(scan.read(100), features)


def test_bags_are_checked_against_each_other_as_they_are_read(cohort):
    held_out = hold_out_scanner(cohort, "scanner 2", True)
    path = held_out[held_out.slide_id == "p000_s2"].features_path.item()
    write_cohort_bag(path, "p000_s2", np.zeros((3, FEATURES), np.float32), encoder="another")
    with pytest.raises(InputError, match=r"p000_s2.*encoder is 'another', that of .* is 'fake'"):
        fit_method(fresh("standardise"), scans(held_out))


def fresh(name):
    method = create_method(name)
    method.build(FEATURES, 8, 2)
    return method


def needing(**needs):
    method = Method()
    method.name, method.needs = "needy", Needs(**needs)
    return method


def test_pairs_are_needed_within_the_training_scanners(cohort):
    check_needs(needing(pairs=True), cohort)
    once = cohort[cohort.scanner.str[-1].astype(int) == cohort.patient_id.str[1:].astype(int) % 3]
    problem = "method needy: needs training specimens that were scanned on several training scanners, and there is none"
    with pytest.raises(InputError, match=f"{problem} -> .*plain"):
        check_needs(needing(pairs=True), once)
    check_needs(needing(), once)
    twice = needing(pairs=True)
    twice.views = 2
    check_needs(twice, once)  # two views of a scan are a pair


def test_everything_that_is_missing_is_said_at_once(cohort):
    renamed = cohort.assign(scanner=cohort.scanner.mask(cohort.slide_id == "p007_s1", "scanner 9"))
    with pytest.raises(InputError) as caught:
        check_needs(needing(scanner_name=True, patients_per_scanner=8), renamed)
    assert "every scanner of validation, and scanner 9 has none" in str(caught.value)
    assert "8 training patients of each scanner, and scanner 0 has 7, scanner 1 has 7, scanner 2 has 7" in str(
        caught.value
    )


def test_many_scans_of_one_patient_are_no_more_than_one(cohort):
    alone = cohort.assign(patient_id=cohort.patient_id.mask(cohort.split == "train", "p000"))
    with pytest.raises(InputError, match="5 training patients of each scanner, and scanner 0 has 1"):
        check_needs(create_method("standardise"), alone)


def test_scanners_held_out_count_for_a_method_that_is_fitted_on_them(cohort):
    held_out = hold_out_scanner(cohort, "scanner 2", True)
    few = held_out[(held_out.scanner != "scanner 2") | (held_out.patient_id < "p003")]
    check_needs(needing(patients_per_scanner=5), few)
    with pytest.raises(InputError, match="5 training patients of each scanner, and scanner 2 has 3"):
        check_needs(needing(patients_per_scanner=5, new_scans=True), few)


def test_scanners_of_test_patients_alone_are_warned_of_before_training(cohort, caplog):
    renamed = cohort.assign(scanner=cohort.scanner.mask(cohort.slide_id == "p011_s1", "scanner 9"))
    with caplog.at_level(logging.WARNING):
        check_needs(create_method("standardise"), renamed)
    assert "no training patient was scanned on scanner 9: `run evaluating` will refuse" in caplog.text


def records_of(manifest):
    return make_records(manifest, "", num_features=FEATURES, num_classes=2)


def test_a_new_scanner_is_refused_or_taken_in_from_its_own_scans(cohort):
    method = fresh("standardise")
    fit_method(method, scans(cohort))
    admit_scanners(method, records_of(cohort))
    records = records_of(cohort.assign(scanner=cohort.scanner.replace("scanner 1", "new")))
    with pytest.raises(
        InputError, match=r"scanner new: .* was not fitted to it; it was trained on A, B -> .*new_scann"
    ):
        admit_scanners(method, records, trained=["B", "A"])
    admit_scanners(method, records, new_scanners=True)
    rows = torch.cat([scan.read(None) for scan in scans_of(records) if scan.scanner == "new"])
    given = method.transform(rows[None], None, scanner_keys(["new"]))[0]
    torch.testing.assert_close(given.mean(dim=0), method.target_mean, atol=1e-4, rtol=0)


def test_a_method_that_needs_no_scanner_knows_all(cohort):
    admit_scanners(create_method("plain"), records_of(cohort))
    admit_scanners(create_method("scangen"), [])


def test_labels_of_scans_at_hand_are_not_handed_on(cohort):
    assert {scan.label for scan in scans_of(records_of(cohort))} == {-1}


def test_the_bar_changes_nothing_that_is_read(cohort):
    given = with_reading_bar(scans(cohort), "fitting")
    for one, other in zip(given, scans(cohort), strict=True):
        assert torch.equal(one.read(4), other.read(4))
        assert torch.equal(one.read(4), other.read(4))


def test_tiles_under_virtual_scanners_come_with_the_training_scans_that_have_them(cohort):
    slide = scans(cohort)[0]
    path = bank_path(Path(cohort.set_index("slide_id").loc[slide.slide_id, "features_path"]).parent, slide.slide_id)
    plain, moved = np.ones((2, FEATURES)), np.arange(3 * 2 * FEATURES).reshape(3, 2, FEATURES)
    write_bank(path, plain, moved, {})
    given = {scan.slide_id: scan.virtual for scan in scans(cohort)}
    read = given.pop(slide.slide_id)()
    np.testing.assert_array_equal(read[0], plain)
    np.testing.assert_array_equal(read[1], moved)
    assert set(given.values()) == {None}
