import json
import math

import numpy as np
import pytest
from scipy.stats import binom

from scangen_bundle.errors import InputError
from scangen_bundle.share.novelty import Novelty
from scangen_bundle.share.reference import SiteReference, Validation, build_reference
from scangen_bundle.share.statement import state


def validation(patients: int = 30, seed: int = 0, scanners=("a", "b", "c")) -> Validation:
    """Patients with one specimen on each scanner; a scanner adds noise of its own to the logit."""
    rng = np.random.default_rng(seed)
    n = patients * len(scanners)
    label = rng.integers(0, 2, patients).repeat(len(scanners))
    scanner = np.array(list(scanners) * patients)
    z = 2.0 * label - 1 + rng.normal(size=patients).repeat(len(scanners)) + 0.6 * rng.normal(size=n)
    p = 1 / (1 + np.exp(-2 * z))
    patient = np.array([f"p{i}" for i in range(patients)]).repeat(len(scanners))
    embedding = np.stack([z, *rng.normal(size=(3, n))], axis=1)
    identified = np.array([f"maker-{name}" for name in scanner])
    return Validation(np.stack([1 - p, p], 1), label, patient, patient, scanner, identified, embedding)


def test_reference_survives_json():
    reference = build_reference(validation(), ["no", "yes"], 0.4)
    again = SiteReference.from_json(json.loads(json.dumps(reference.to_json(), allow_nan=False)))
    assert again.to_json() == reference.to_json()
    assert again.scanners == reference.scanners


def test_a_reference_of_another_version_is_refused():
    content = build_reference(validation(), ["no", "yes"], 0.4).to_json()
    with pytest.raises(InputError, match="has version 1, this code reads"):
        SiteReference.from_json({**content, "version": 1})


def test_an_unseen_scanner_gets_the_wider_set_and_the_worst_flip_rate():
    reference = build_reference(validation(), ["no", "yes"], 0.5)
    assert reference.unseen.quantile >= max(facts.quantile for facts in reference.scanners.values())
    assert reference.unseen.flips.value == max(facts.flips.value for facts in reference.scanners.values())


def test_too_few_patients_for_the_level_leave_every_class_possible():
    reference = build_reference(validation(patients=6), ["no", "yes"], 0.5, level=0.9)
    assert all(math.isinf(facts.quantile) for facts in reference.scanners.values())
    assert reference.to_json()["unseen"]["quantile"] is None


def test_sets_cover_a_scanner_that_was_not_in_validation():
    covered = []
    for seed in range(20):
        v = validation(patients=60, seed=seed, scanners=("a", "b", "new"))
        seen, half = v.scanner != "new", np.arange(60).repeat(3) < 30
        part = seen & half
        fields = ("probability", "label", "patient", "specimen", "scanner", "identified", "embedding")
        reference = build_reference(Validation(*(getattr(v, f)[part] for f in fields)), ["no", "yes"], 0.5, level=0.9)
        rows = np.flatnonzero(~seen & ~half)
        covered += [1 - v.probability[i, v.label[i]] <= reference.unseen.quantile for i in rows]
    assert np.mean(covered) >= 0.9


def test_sets_cover_new_patients_of_known_scanners_as_often_as_they_say(monkeypatch):
    """Each trial is a new feature-level cohort with one patient too many, for whom the set is made.

    By exchangeability the set of that patient's scan holds the label with probability 19 / 21 exactly (20 calibration
    patients, level 0.9: the 19th of the 20 scores), on each scanner; trials are independent, so the count is binomial.
    """
    # these have no part in the sets, and take most of the time
    monkeypatch.setattr("scangen_bundle.share.reference.fit_novelty", lambda *_: Novelty(np.zeros(4), np.eye(4), 1.0))
    monkeypatch.setattr("scangen_bundle.share.reference.fit_platt", lambda *_: (0.0, 1.0))
    rng, trials, patients = np.random.default_rng(0), 600, 21
    weights = rng.normal(size=8)
    blur = {"sharp": 0.2, "blurred": 1.5}  # a scanner's own noise: sets of all scanners together would fail on one
    covered = dict.fromkeys(blur, 0)
    for _ in range(trials):
        label = rng.integers(0, 2, patients)
        tissue = rng.normal(size=(patients, 8)) + 0.3 * np.outer(2 * label - 1, np.sign(weights))
        rows = []
        for noise in blur.values():
            tiles = tissue[:, None] + noise * rng.normal(size=(patients, 1, 8)) + rng.normal(size=(patients, 5, 8))
            rows.append(1 / (1 + np.exp(-tiles.mean(axis=1) @ weights)))
        p = np.concatenate(rows)
        probability, every = np.stack([1 - p, p], axis=1), np.tile(label, 2)
        ids, scanner = np.tile(np.arange(patients).astype(str), 2), np.repeat(list(blur), patients)
        old = ids != str(patients - 1)
        parts = [values[old] for values in (probability, every, ids, ids, scanner, scanner, np.zeros((len(p), 4)))]
        reference = build_reference(Validation(*parts), ["no", "yes"], 0.5, level=0.9)
        for row in np.flatnonzero(~old):
            chosen = state(probability[row], np.zeros(4), scanner[row], reference)["prediction_set"]["classes"]
            held = ["no", "yes"][every[row]] in chosen
            own = [1 - probability[i, every[i]] for i in np.flatnonzero(old & (scanner == scanner[row]))]
            assert held == (sum(score < 1 - probability[row, every[row]] for score in own) < 19)
            covered[scanner[row]] += held
    low, high = binom.interval(0.999, trials, 19 / 21)
    assert all(low <= count <= high for count in covered.values()), covered


def test_without_labels_there_is_no_reference():
    v = validation()
    with pytest.raises(ValueError, match="label"):
        build_reference(Validation(**{**v.__dict__, "label": np.full(len(v.label), -1)}), ["no", "yes"], 0.5)
