"""Features standardised by scanner: whose moments, from which scans, and what is refused."""

import io

import numpy as np
import pytest
import torch

from scangen_bundle.bags import open_bag
from scangen_bundle.cohort import hold_out_scanner
from scangen_bundle.data import BagDataset, ScannerMoments, fit_moments, make_records
from scangen_bundle.data import moments as moments_module
from scangen_bundle.errors import InputError

from .cohort import FEATURES, read_cohort, write_cohort, write_cohort_bag


def random_bags(scanners=("a", "b", "c"), bags=4, seed=0):
    """Scans of different lengths, each scanner with its own mean and spread."""
    rng = np.random.default_rng(seed)
    return {
        scanner: [
            (rng.normal(size=(5 + 3 * bag, FEATURES)) * rng.uniform(1, 3) + 4 * number).astype(np.float32)
            for bag in range(bags)
        ]
        for number, scanner in enumerate(scanners)
    }


def by_hand(bags, training, scanner, image):
    """`x -> (x - m) / s * S + M` in float64, from all rows at once."""
    own = {name: np.concatenate(rows).astype(np.float64) for name, rows in bags.items()}
    mean = np.mean([own[name].mean(axis=0) for name in training], axis=0)
    spread = np.sqrt(np.mean([own[name].var(axis=0) for name in training], axis=0))
    return (image - own[scanner].mean(axis=0)) / own[scanner].std(axis=0) * spread + mean


def test_a_scan_gets_the_training_scanners_mean_and_spread():
    bags = random_bags()
    moments = ScannerMoments().fit(bags, ["a", "b"])
    for scanner, image in (("a", bags["a"][0]), ("c", bags["c"][2])):
        given = moments(torch.from_numpy(image), scanner)
        assert given.dtype == torch.float32
        np.testing.assert_allclose(given, by_hand(bags, ["a", "b"], scanner, image), rtol=1e-4, atol=1e-4)


def test_all_scanners_then_have_one_mean_and_spread():
    bags = random_bags()
    moments = ScannerMoments().fit(bags, ["a", "b", "c"])
    pooled = [np.concatenate([moments(torch.from_numpy(bag), name) for bag in own]) for name, own in bags.items()]
    for rows in pooled[1:]:
        np.testing.assert_allclose(rows.mean(axis=0), pooled[0].mean(axis=0), atol=1e-4)
        np.testing.assert_allclose(rows.std(axis=0), pooled[0].std(axis=0), rtol=1e-4)


def test_a_feature_that_hardly_varies_on_a_scanner_is_not_blown_up():
    bags = random_bags(("a", "b"))
    for bag in bags["b"]:
        bag[:, 0] = 2.0
        bag[:, 1] = 2.0 + 1e-6 * np.arange(len(bag))
    moments = ScannerMoments().fit(bags, ["a", "b"])
    one = torch.zeros(1, FEATURES)
    other = one.clone()
    other[0, :2] = 1.0
    difference = (moments(other, "b") - moments(one, "b"))[0]
    np.testing.assert_allclose(difference[:2], 10.0, rtol=1e-4)
    assert (difference[2:] == 0).all()


def test_a_feature_without_spread_anywhere_stays_finite():
    bags = {name: [np.full((4, 2), level, np.float32)] for name, level in (("a", 1.0), ("b", 3.0))}
    moments = ScannerMoments().fit(bags, ["a", "b"])
    assert torch.isfinite(moments(torch.ones(1, 2), "b")).all()


def test_moments_survive_a_checkpoint():
    moments = ScannerMoments().fit(random_bags(), ["a", "b"])
    buffer = io.BytesIO()
    torch.save(moments.state_dict(), buffer)
    buffer.seek(0)
    loaded = ScannerMoments()
    assert not loaded
    loaded.load_state_dict(torch.load(buffer, weights_only=True))
    assert loaded
    assert loaded.scanners == ["a", "b", "c"]
    image = torch.randn(7, FEATURES)
    assert torch.equal(loaded(image, "c"), moments(image, "c"))
    loaded.load_state_dict({})
    assert not loaded
    assert loaded.state_dict() == {}


def test_an_unknown_scanner_is_refused_by_name():
    moments = ScannerMoments().fit(random_bags(), ["a", "b"])
    with pytest.raises(InputError, match=r"scanner d: .*those of a, b, c.*--new_scanners True"):
        moments(torch.zeros(1, FEATURES), "d")


@pytest.fixture
def cohort(tmp_path):
    """Twelve specimens on three scanners; patients 0 to 6 train, 7 to 8 validate, the others test."""
    manifest = read_cohort(write_cohort(tmp_path, specimens=12))
    number = manifest.patient_id.str[1:].astype(int)
    return manifest.assign(split=np.where(number < 7, "train", np.where(number < 9, "val", "test")))


def fit(manifest):
    return fit_moments(manifest, "", num_features=FEATURES, num_classes=2)


def scans_of(manifest):
    return {
        scanner: [np.array(open_bag(path).features) for path in own.features_path]
        for scanner, own in manifest.groupby("scanner")
    }


def test_training_patients_alone_count(cohort):
    moments = fit(cohort)
    expected = ScannerMoments().fit(scans_of(cohort[cohort.split == "train"]), sorted(cohort.scanner.unique()))
    for row in cohort[cohort.split == "test"].itertuples():
        write_cohort_bag(row.features_path, row.slide_id, np.full((3, FEATURES), 1e6, np.float32))
    again = fit(cohort)
    image = torch.randn(5, FEATURES)
    for scanner in expected.scanners:
        assert torch.equal(moments(image, scanner), expected(image, scanner))
        assert torch.equal(again(image, scanner), expected(image, scanner))


def test_a_scanner_held_out_gets_moments_but_does_not_shape_the_others(cohort):
    held_out = hold_out_scanner(cohort, "scanner 2", True)
    moments = fit(held_out)
    patients = cohort[cohort.split == "train"]
    expected = ScannerMoments().fit(scans_of(patients), ["scanner 0", "scanner 1"])
    image = torch.randn(5, FEATURES)
    for scanner in ("scanner 0", "scanner 2"):
        assert torch.equal(moments(image, scanner), expected(image, scanner))


def test_a_scan_that_the_user_left_out_does_not_count(cohort):
    left_out = cohort.assign(split=cohort.split.mask(cohort.slide_id == "p000_s1", "excluded"))
    expected = ScannerMoments().fit(scans_of(left_out[left_out.split == "train"]), sorted(cohort.scanner.unique()))
    image = torch.randn(5, FEATURES)
    assert torch.equal(fit(left_out)(image, "scanner 1"), expected(image, "scanner 1"))


def test_a_scanner_of_validation_alone_is_refused_before_training(cohort):
    renamed = cohort.assign(scanner=cohort.scanner.mask(cohort.slide_id == "p007_s1", "scanner 9"))
    with pytest.raises(InputError, match="scanner 9: "):
        fit(renamed)


def test_moments_of_few_scans_are_told(cohort, caplog):
    few = cohort.assign(split=cohort.split.mask(cohort.patient_id.isin(["p001", "p002", "p003"]), "excluded"))
    fit(few)
    assert "the moments of scanner scanner 0 are those of 4 patients only" in caplog.text


def test_of_a_large_scan_evenly_spaced_tiles_are_looked_at(cohort, monkeypatch):
    monkeypatch.setattr(moments_module, "TILES_PER_SCAN", 3)
    one = cohort[cohort.slide_id == "p000_s0"]
    features = np.random.default_rng(0).normal(size=(9, FEATURES)).astype(np.float32)
    write_cohort_bag(one.features_path.item(), "p000_s0", features)
    mean = fit(one).state_dict()["scanners"]["scanner 0"]["mean"]
    np.testing.assert_allclose(mean, features[[0, 4, 8]].mean(axis=0), rtol=1e-6)


def test_bags_of_a_scanner_held_out_are_checked_like_those_trained_on(cohort):
    held_out = hold_out_scanner(cohort, "scanner 2", True)
    path = held_out[held_out.slide_id == "p000_s2"].features_path.item()
    write_cohort_bag(path, "p000_s2", np.zeros((3, FEATURES), np.float32), encoder="another")
    with pytest.raises(InputError, match=r"p000_s2.*encoder is 'another', that of .* is 'fake'"):
        fit(held_out)


def test_scanners_of_test_patients_alone_are_told_before_training(cohort, caplog):
    fit(cohort.assign(scanner=cohort.scanner.mask(cohort.slide_id == "p011_s1", "scanner 9")))
    assert "no training patient was scanned on scanner 9: `run evaluating` will refuse" in caplog.text


def test_many_scans_of_one_patient_are_no_more_than_one(cohort, caplog):
    one = cohort.assign(patient_id=cohort.patient_id.mask(cohort.split == "train", "p000"))
    fit(one)
    assert "the moments of scanner scanner 0 are those of 1 patients only" in caplog.text


def records_of(manifest):
    return make_records(manifest, "", num_features=FEATURES, num_classes=2)


def test_the_dataset_standardises_what_it_draws(cohort):
    moments = fit(cohort)
    for index in (0, 1):
        plain, item = (
            BagDataset(records_of(cohort), num_instances=5, moments=given)[index] for given in (None, moments)
        )
        assert torch.equal(item["image"], moments(plain["image"], f"scanner {index}"))
    empty = BagDataset(records_of(cohort), moments=ScannerMoments())[0]
    assert torch.equal(empty["image"], BagDataset(records_of(cohort))[0]["image"])


def test_a_new_scanner_is_refused_or_gets_the_moments_of_its_own_scans(cohort):
    state = fit(cohort).state_dict()
    others = cohort.assign(scanner=cohort.scanner.replace("scanner 1", "new"))
    refusing = ScannerMoments(records_of(others))
    with pytest.raises(InputError, match="scanner new: "):
        refusing.load_state_dict(state)
    taking = ScannerMoments(records_of(others), new_scanners=True)
    taking.load_state_dict(state)
    pooled = np.concatenate(scans_of(others)["new"]).astype(np.float64)
    given = torch.cat([taking(torch.from_numpy(bag), "new") for bag in scans_of(others)["new"]])
    assert pooled.std(axis=0) != pytest.approx(state["target"]["deviation"].numpy(), rel=1e-3)
    np.testing.assert_allclose(given.mean(dim=0), state["target"]["mean"], atol=1e-4)
    np.testing.assert_allclose(given.std(dim=0, correction=0), state["target"]["deviation"], rtol=1e-4)


def test_a_new_scanner_of_too_few_scans_is_refused(cohort):
    others = cohort.assign(scanner=cohort.scanner.mask(cohort.slide_id == "p000_s1", "new"))
    with pytest.raises(InputError, match=r"scanner new: has scans of 1 patients; .* need 5"):
        ScannerMoments(records_of(others), new_scanners=True).load_state_dict(fit(cohort).state_dict())


def test_without_moments_scanners_are_not_looked_at(cohort):
    moments = ScannerMoments(records_of(cohort))
    moments.load_state_dict({})
    assert not moments
