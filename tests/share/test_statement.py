import json

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.share.reference import build_reference
from scangen_bundle.share.statement import match_scanner, objections, refuse, state
from tests.share.test_reference import validation

ENCODER = {"encoder": "efficientnet-lite0", "revision": "1", "pooling": "gap", "tile_px": 224, "mpp": 0.5}
ATTRIBUTES = {**ENCODER, "effective_mpp_x": 0.5, "effective_mpp_y": 0.5}


@pytest.fixture(scope="module")
def reference():
    return build_reference(validation(), ["no", "yes"], 0.4)


def test_a_known_scanner_is_found_by_what_its_files_say(reference):
    assert match_scanner("maker-b", reference) == match_scanner("b", reference) == "b"
    assert match_scanner("maker-z", reference) is None
    assert match_scanner("", reference) is None


def test_statement_of_a_known_scanner(reference):
    told = state(np.array([0.55, 0.45]), np.zeros(4), "maker-a", reference)
    json.dumps(told, allow_nan=False)
    assert told["predicted_class"] == "yes"  # 0.45 is above the threshold of 0.4
    assert told["scanner"] == {"identified": "maker-a", "known_to_training": True, "training_name": "a"}
    assert told["prediction_set"]["classes"] == [
        name for name, p in (("no", 0.55), ("yes", 0.45)) if 1 - p <= reference.scanners["a"].quantile
    ]
    assert sum(told["calibrated_probability"].values()) == pytest.approx(1)
    assert not told["novelty"]["far_from_training"]


def test_statement_of_an_unknown_scanner_promises_nothing(reference):
    told = state(np.array([0.9, 0.1]), np.zeros(4), "", reference)
    assert not told["scanner"]["known_to_training"]
    assert told["prediction_set"]["guarantee"].startswith("none")
    assert told["expected_flip_rate"]["value"] == reference.unseen.flip_rate


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
