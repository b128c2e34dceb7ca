"""Paired differences of slide means."""

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.methods.paired import paired_deltas, scanner_directions, slide_means

from .scans import make_scan, random_scans


def test_deltas_are_scans_minus_their_specimens_mean_of_specimens_with_several_scanners():
    scans = [
        make_scan([[1.0, 0.0], [3.0, 0.0]], "a", specimen="x"),
        make_scan([[0.0, 4.0]], "b", specimen="x"),
        make_scan([[9.0, 9.0]], "a", specimen="alone"),
    ]
    deltas = paired_deltas(scans, slide_means(scans))
    np.testing.assert_allclose(deltas, [[1, -2], [-1, 2]])


def test_directions_span_the_deltas():
    scans = random_scans(scanners=("a", "b"), features=6)
    means = slide_means(scans)
    deltas, basis = paired_deltas(scans, means), scanner_directions(scans, means)
    np.testing.assert_allclose(deltas @ basis @ basis.T, deltas, atol=1e-5)
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-9)


def test_without_pairs_they_are_refused():
    scans = random_scans(scanners=("a",))
    with pytest.raises(InputError, match="no training specimen was scanned on two training scanners"):
        paired_deltas(scans, slide_means(scans))
