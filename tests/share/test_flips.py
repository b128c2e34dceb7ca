import itertools
import math

import numpy as np
import pytest
from scipy.stats import binomtest

from scangen_bundle.measures import youden_threshold
from scangen_bundle.share.flips import FlipRate, count_flips, decide, decide_left_out


def draw(patients: int, rng: np.random.Generator, scanners: int = 5):
    """Probabilities, labels and ids of patients with one specimen on each scanner."""
    label = rng.permutation(np.arange(patients) % 2)
    z = 1.8 * (2 * label - 1) + rng.normal(size=patients)
    z = z[:, None] + 0.4 * rng.normal(size=(patients, scanners))
    p = 1 / (1 + np.exp(-z.ravel()))
    ids = np.arange(patients).astype(str).repeat(scanners)
    return np.stack([1 - p, p], axis=1), label.repeat(scanners), ids, np.tile(list("abcdefgh"[:scanners]), patients)


def test_flips_are_counted_by_pairs_of_scans():
    p, _, patient, scanner = draw(8, np.random.default_rng(0), scanners=3)
    p, patient, scanner = p[:-2], patient[:-2], scanner[:-2]  # one patient was scanned once
    classes = decide(p, 0.5)
    for name in (None, "b"):
        pairs = [
            (i, j)
            for i, j in itertools.combinations(range(len(p)), 2)
            if patient[i] == patient[j] and (name is None or name in (scanner[i], scanner[j]))
        ]
        flips = sum(classes[i] != classes[j] for i, j in pairs)
        assert count_flips(classes, patient, patient, scanner, name) == FlipRate(flips, len(pairs), 7)


def test_two_scans_on_one_scanner_are_no_pair():
    ids = np.array(["x", "x"])
    assert count_flips(np.array([0, 1]), ids, ids, np.array(["a", "a"])) == FlipRate(0, 0, 0)


@pytest.mark.parametrize(("flips", "patients"), [(0, 9), (3, 9), (9, 9)])
def test_interval_of_one_pair_a_patient_is_the_exact_one(flips, patients):
    expected = binomtest(flips, patients).proportion_ci(method="exact")
    assert FlipRate(flips, patients, patients).interval() == pytest.approx((expected.low, expected.high))


def test_more_pairs_of_the_same_patients_do_not_narrow_the_interval():
    assert FlipRate(8, 36, 9).interval() == pytest.approx(FlipRate(2, 9, 9).interval())
    assert FlipRate(0, 36, 9).interval()[1] == pytest.approx(1 - 0.025 ** (1 / 9))


def test_without_a_pair_nothing_is_said():
    assert math.isnan(FlipRate(0, 0, 0).value)
    assert all(map(math.isnan, FlipRate(0, 0, 0).interval()))


def test_a_patient_has_no_part_in_the_threshold_that_it_is_decided_with():
    p = np.array([[0.8, 0.2], [0.6, 0.4], [0.5, 0.5], [0.1, 0.9], [0.5, 0.5]])
    label, patient = np.array([0, 0, 1, 1, -1]), np.array(list("wxyzu"))
    threshold = youden_threshold(label[:4], p[:4, 1])  # 0.45: between 0.4 and 0.5
    assert decide(p, threshold).tolist() == [0, 0, 1, 1, 1]
    # Without y the threshold is 0.65, without x 0.35; the unlabelled scan takes that of all others.
    assert decide_left_out(p, label, patient, threshold).tolist() == [0, 1, 0, 1, 1]


def test_what_was_not_chosen_is_not_chosen_again():
    p, label, patient, _ = draw(6, np.random.default_rng(0))
    assert (
        decide_left_out(p, np.ones_like(label), patient, 0.3) == decide(p, 0.3)
    ).all()  # one class: no best threshold
    assert (decide_left_out(p, label, patient, None) == p.argmax(axis=1)).all()


def test_rate_of_few_patients_is_that_of_new_ones_and_in_its_interval():
    """The threshold is chosen on nine patients; what they then say of its flips, beside 400 new patients."""
    rng, trials = np.random.default_rng(0), 300
    naive, left_out, held = np.empty(trials), np.empty(trials), np.empty(trials)
    for trial in range(trials):
        p, label, patient, scanner = draw(9, rng)
        threshold = youden_threshold(label, p[:, 1])
        new = decide(draw(400, rng)[0], threshold).reshape(400, 5).sum(axis=1)
        truth = (new * (5 - new)).sum() / (400 * 10)  # pairs of which one scan has class 1 and the other has not
        rate = count_flips(decide_left_out(p, label, patient, threshold), patient, patient, scanner)
        low, high = rate.interval()
        naive[trial] = count_flips(decide(p, threshold), patient, patient, scanner).value - truth
        left_out[trial], held[trial] = rate.value - truth, low <= truth <= high
    error = left_out.std() / math.sqrt(trials)
    assert abs(left_out.mean()) < 3 * error
    assert naive.mean() < -5 * error
    assert held.mean() >= 0.95
