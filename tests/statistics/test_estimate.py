"""The one form of a number with its interval."""

import json
import math

import numpy as np

from scangen_bundle.statistics.estimate import Estimate, undefined


def test_json_and_back_is_the_same_estimate():
    estimate = Estimate(0.5, 0.25, 0.75, 0.3, 0.8, 1.0, 0.5, 12, "bootstrap", note="one thing", scanners=("a", "b"))
    entry = json.loads(json.dumps(estimate.to_json(), allow_nan=False))
    assert Estimate.from_json(entry) == estimate
    assert entry["scanners"] == ["a", "b"]
    assert entry["reason"] is None


def test_nan_and_empty_texts_are_null():
    entry = undefined("too few patients").to_json()
    assert entry["value"] is None
    assert entry["method"] is None
    assert entry["reason"] == entry["interval_reason"] == "too few patients"
    again = Estimate.from_json(entry)
    assert math.isnan(again.value)
    assert again.method == ""
    assert not again.has_value
    assert not again.has_interval


def test_other_keys_are_ignored_and_missing_ones_take_their_default():
    estimate = Estimate.from_json({"value": 0.25, "k": 5})
    assert estimate.value == 0.25
    assert estimate.has_value
    assert math.isnan(estimate.low)
    assert estimate.scanners == ()


def test_numbers_of_numpy_become_plain_ones():
    assert json.dumps(Estimate(np.float64(0.5), np.float32(0.25)).to_json())
