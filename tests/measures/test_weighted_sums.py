"""One matrix product gives the sums of all measures, the same as one at a time."""

import numpy as np
import pytest

from scangen_bundle.measures.weighted_sums import ObservedSums, Sums, WeightedSums

PATIENT = np.array([0, 0, 1, 2, 2, 2])
VALUES = np.arange(6.0)


def test_sums_are_of_every_patients_rows_times_its_weight():
    sums = WeightedSums(3)
    sums.add("here", "values", VALUES, PATIENT)
    sums.add("here", "two", np.stack([VALUES, VALUES**2], axis=1), PATIENT)
    weights = np.array([[1, 1, 1], [2, 0, 1], [0, 3, 0]], dtype=np.int32)
    found = Sums(sums.block(weights), "here")
    of_rows = weights[:, PATIENT]
    np.testing.assert_allclose(found["values"], of_rows @ VALUES)
    np.testing.assert_allclose(found["two"], [of_rows @ VALUES, of_rows @ VALUES**2])
    alone = Sums(sums.block(weights[:1]), "here")
    np.testing.assert_allclose(alone["two"], found["two"][:, :1])


def test_what_is_shared_is_computed_once_per_weights_and_place():
    sums, calls = WeightedSums(2), []
    first, second = np.ones((2, 2), dtype=np.int32), np.zeros((2, 2), dtype=np.int32)
    for weights in (first, first, second):
        for place in ("a", "b", "a"):
            Sums(sums.block(weights), place).shared("x", lambda: calls.append(1))
    assert len(calls) == 4


def test_equal_columns_are_shared_and_unequal_ones_refused():
    sums = WeightedSums(3)
    sums.add("here", "values", VALUES, PATIENT)
    sums.add("here", "values", VALUES, PATIENT)
    sums.add("there", "values", -VALUES, PATIENT)
    with pytest.raises(ValueError, match="another measure has a column 'values'"):
        sums.add("here", "values", VALUES + 1, PATIENT)


def test_sums_of_the_observed_data_are_plain_ones():
    found = ObservedSums({"values": VALUES, "two": np.stack([VALUES, VALUES], axis=1)})
    np.testing.assert_allclose(found["values"], [15.0])
    np.testing.assert_allclose(found["two"], [[15.0], [15.0]])
