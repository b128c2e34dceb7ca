"""Features standardised by scanner: whose moments, and what is refused."""

import io

import numpy as np
import pytest
import torch

from scangen_bundle.errors import InputError
from scangen_bundle.methods import adapt_method, fit_method, scanner_keys
from scangen_bundle.methods import standardise as module
from scangen_bundle.methods.standardise import Standardise

from .scans import make_scan, random_scans, tiles_of

FEATURES = 4


def fitted(scans, **options):
    method = Standardise(**options)
    method.build(FEATURES, 8, 2)
    fit_method(method, scans)
    return method


def through(method, image, scanner):
    return method.transform(image[None], None, scanner_keys([scanner]))[0]


def by_hand(scans, training, scanner, image):
    """`x -> (x - m) / s * S + M` in float64, from all rows at once."""
    rows = {name: tiles_of(scans, name) for name in {*training, scanner}}
    mean = np.mean([rows[name].mean(axis=0) for name in training], axis=0)
    spread = np.sqrt(np.mean([rows[name].var(axis=0) for name in training], axis=0))
    return (image.double().numpy() - rows[scanner].mean(axis=0)) / rows[scanner].std(axis=0) * spread + mean


def test_a_scan_gets_the_training_scanners_mean_and_spread():
    scans = random_scans(held_out=("c",))
    method = fitted(scans)
    for scan in (scans[0], scans[-1]):
        given = through(method, scan.read(None), scan.scanner)
        assert given.dtype == torch.float32
        np.testing.assert_allclose(given, by_hand(scans, "ab", scan.scanner, scan.read(None)), rtol=1e-4, atol=1e-4)


def test_all_scanners_then_have_one_mean_and_spread():
    scans = random_scans()
    method = fitted(scans)
    pooled = [
        np.concatenate([through(method, scan.read(None), name) for scan in scans if scan.scanner == name])
        for name in "abc"
    ]
    for rows in pooled[1:]:
        np.testing.assert_allclose(rows.mean(axis=0), pooled[0].mean(axis=0), atol=1e-4)
        np.testing.assert_allclose(rows.std(axis=0), pooled[0].std(axis=0), rtol=1e-4)


def test_a_batch_of_several_scanners_is_transformed_row_by_row():
    method = fitted(random_scans())
    x = torch.randn(3, 7, FEATURES)
    together = method.transform(x, None, scanner_keys(["c", "a", "c"]))
    for row, scanner in enumerate("cac"):
        torch.testing.assert_close(together[row], through(method, x[row], scanner))


def test_a_scanner_held_out_does_not_shape_the_others():
    scans = random_scans(held_out=("c",))
    others = fitted([scan for scan in scans if scan.scanner != "c"])
    image = torch.randn(5, FEATURES)
    torch.testing.assert_close(through(fitted(scans), image, "a"), through(others, image, "a"))


def test_a_feature_that_hardly_varies_on_a_scanner_is_not_blown_up():
    scans = random_scans(("a", "b"))
    for scan in scans[6:]:
        rows = scan.read(None)
        rows[:, 0] = 2.0
        rows[:, 1] = 2.0 + 1e-6 * torch.arange(len(rows))
    scans = [make_scan(scan.read(None), scan.scanner, scan.patient) for scan in scans]
    method = fitted(scans)
    one, other = torch.zeros(1, FEATURES), torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    difference = (through(method, other, "b") - through(method, one, "b"))[0]
    np.testing.assert_allclose(difference[:2], 10.0, rtol=1e-4)
    assert (difference[2:] == 0).all()


def test_a_feature_without_spread_anywhere_stays_finite():
    scans = [make_scan(np.full((4, FEATURES), level), name) for name, level in (("a", 1.0), ("b", 3.0))]
    assert torch.isfinite(through(fitted(scans), torch.ones(1, FEATURES), "b")).all()


def test_what_was_fitted_is_in_the_state():
    method = fitted(random_scans())
    buffer = io.BytesIO()
    torch.save(method.state_dict(), buffer)
    buffer.seek(0)
    loaded = Standardise()
    loaded.build(FEATURES, 8, 2)
    assert not loaded.knows(scanner_keys(["a"])).any()
    loaded.load_state_dict(torch.load(buffer, weights_only=True))
    assert loaded.knows(scanner_keys(["a", "b", "c", "d"])).tolist() == [True, True, True, False]
    image = torch.randn(7, FEATURES)
    assert torch.equal(through(loaded, image, "c"), through(method, image, "c"))


def test_an_unknown_scanner_and_none_are_refused():
    method = fitted(random_scans())
    with pytest.raises(RuntimeError, match="not fitted to the scanner"):
        through(method, torch.zeros(1, FEATURES), "d")
    with pytest.raises(RuntimeError, match="call it with the scanner of each scan"):
        method.transform(torch.zeros(1, 1, FEATURES), None, None)


def test_of_a_large_scan_evenly_spaced_tiles_are_read(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(9, FEATURES))
    method = Standardise()
    method.build(FEATURES, 8, 2)
    monkeypatch.setattr(module, "TILES_PER_SCAN", 3)
    scan = make_scan(rows)
    fit_method(method, [scan])
    np.testing.assert_allclose(method.mean[0], rows[[0, 4, 8]].mean(axis=0), rtol=1e-5)
    assert scan.read.asked == [3]


def test_a_new_scanner_gets_the_moments_of_its_own_scans(caplog):
    method = fitted(random_scans(("a", "b")))
    new = random_scans(("new",), seed=5)
    adapt_method(method, new)
    given = torch.cat([through(method, scan.read(None), "new") for scan in new])
    np.testing.assert_allclose(given.mean(dim=0), method.target_mean, atol=1e-4)
    np.testing.assert_allclose(given.std(dim=0, correction=0), method.target_deviation, rtol=1e-4)
    assert "scanner new is new: its moments are those of its 6 scans at hand" in caplog.text
    adapt_method(method, new)  # it is known now
    assert len(method.mean) == 3


def test_a_new_scanner_of_too_few_patients_is_refused():
    method = fitted(random_scans(("a", "b")))
    of_one = [make_scan(np.zeros((3, FEATURES)), "new", "p0", specimen=f"block {n}") for n in range(6)]
    with pytest.raises(InputError, match=r"scanner new: has scans of 1 patients; .* need 5"):
        adapt_method(method, of_one)


def test_names_in_slide_files_stand_for_the_scanner():
    method = fitted(random_scans())
    method.alias({"maker a": "a", "maker b": "b", "b": "a", "maker d": "d"})
    image = torch.randn(5, FEATURES)
    assert torch.equal(through(method, image, "maker a"), through(method, image, "a"))
    assert not torch.equal(through(method, image, "b"), through(method, image, "a"))  # a name of its own keeps its row
    assert not method.knows(scanner_keys(["maker d"])).any()
