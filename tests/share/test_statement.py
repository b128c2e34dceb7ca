import json

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.share.reference import Validation, build_reference
from scangen_bundle.share.statement import match_scanners, objections, refuse, state
from tests.share.test_reference import validation

ENCODER = {"encoder": "efficientnet-lite0", "revision": "1", "pooling": "gap", "tile_px": 224, "mpp": 0.5}
ATTRIBUTES = {**ENCODER, "effective_mpp_x": 0.5, "effective_mpp_y": 0.5}


@pytest.fixture(scope="module")
def reference():
    return build_reference(validation(), ["no", "yes"], 0.4)


def test_a_known_scanner_is_found_by_what_its_files_say(reference):
    assert match_scanners("maker-b", reference) == match_scanners("b", reference) == ["b"]
    assert match_scanners("maker-z", reference) == []
    assert match_scanners("", reference) == []


def test_statement_of_a_known_scanner(reference):
    told = state(np.array([0.55, 0.45]), np.zeros(4), "maker-a", reference)
    json.dumps(told, allow_nan=False)
    assert told["predicted_class"] == "yes"  # 0.45 is above the threshold of 0.4
    assert told["scanner"] == {"identified": "maker-a", "known_to_training": True, "training_name": "a"}
    assert told["prediction_set"]["classes"] == [
        name for name, p in (("no", 0.55), ("yes", 0.45)) if 1 - p <= reference.scanners["a"].quantile
    ]
    flips = told["expected_flip_rate"]
    assert flips["interval"][0] < flips["value"] < flips["interval"][1]
    assert (flips["pairs"], flips["patients"], flips["of"]) == (60, 30, "a")  # each patient on a and two others
    assert sum(told["calibrated_probability"].values()) == pytest.approx(1)
    assert not told["novelty"]["far_from_training"]


def test_statement_of_an_unknown_scanner_promises_nothing(reference):
    told = state(np.array([0.9, 0.1]), np.zeros(4), "", reference)
    assert not told["scanner"]["known_to_training"]
    assert told["prediction_set"]["guarantee"].startswith("none")
    assert told["expected_flip_rate"]["value"] == reference.unseen.flips.value


def test_a_name_of_two_training_scanners_is_known_but_promises_nothing():
    v = validation()
    reference = build_reference(
        Validation(**{**v.__dict__, "identified": np.full(len(v.label), "one model")}), ["no", "yes"], 0.5
    )
    told = state(np.array([0.9, 0.1]), np.zeros(4), "one model", reference)
    assert told["scanner"] == {"identified": "one model", "known_to_training": True, "training_name": None}
    assert told["prediction_set"]["guarantee"].startswith("none: 3 training scanners have this name")
    assert told["prediction_set"]["patients"] == reference.unseen.patients


def test_one_scanner_has_no_flip_rate():
    told = state(
        np.array([0.9, 0.1]), np.zeros(4), "maker-a", build_reference(validation(scanners="a"), ["no", "yes"], 0.5)
    )
    assert told["expected_flip_rate"] == {"value": None, "interval": None, "pairs": 0, "patients": 0, "of": "a"}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, None),
        ({"revision": "2"}, "other_encoder"),
        ({"encoder": None}, "other_encoder"),
        ({"effective_mpp_x": None}, "unknown_mpp"),
        ({"effective_mpp_y": float("nan")}, "unknown_mpp"),
    ],
)
def test_objections_before_the_network_runs(change, kind):
    assert list(objections({**ATTRIBUTES, **change}, ENCODER)) == ([kind] if kind else [])


def test_a_far_slide_is_refused_unless_the_site_allows_it(reference):
    told = state(np.array([0.9, 0.1]), np.full(4, 100.0), "maker-a", reference)
    found = objections(ATTRIBUTES, ENCODER, told)
    with pytest.raises(InputError, match="far from the validation slides"):
        refuse("slide.svs", found)
    (warning,) = refuse("slide.svs", found, frozenset({"far_from_training"}))
    assert warning.startswith("far_from_training")
