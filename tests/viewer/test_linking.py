"""Scans lie in the shared frame where their tissue is."""

import numpy as np
import pytest

from scangen_bundle.slides.registration import Registration
from scangen_bundle.viewer.linking import ScanFrame, choose_reference, place_alone, place_registered


def similarity(scale, degrees, shift):
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.block([[turn, np.array(shift, dtype=float)[:, None]], [np.zeros((1, 2)), np.ones((1, 1))]])


def test_a_scan_alone_is_in_millimetres_or_thousands_of_px():
    corner = np.array([[1000.0, 500.0]])
    assert place_alone(ScanFrame((1000, 500), 0.25)).apply(corner) == pytest.approx(np.array([[0.25, 0.125]]))
    assert place_alone(ScanFrame((1000, 500), None)).apply(corner) == pytest.approx(np.array([[1.0, 0.5]]))


@pytest.mark.parametrize("mpp", [(0.25, 0.5), (0.5, None), (None, 0.25), (None, None)])
def test_the_same_tissue_has_the_same_place(mpp):
    reference, scan = ScanFrame((4000, 3000), mpp[0]), ScanFrame((2500, 2000), mpp[1])
    found = Registration(similarity(1.02, 30, (40, -12)), 2.0)
    placed = place_registered(reference, scan, found)
    there = np.array([[100.0, 200.0], [3000.0, 2500.0]])  # px of the reference
    on_scan = found.apply(there * reference.unit) / scan.unit
    assert placed.apply(on_scan) == pytest.approx(place_alone(reference).apply(there))
    assert placed.error == pytest.approx(2.0 / 1.02)


def test_the_rectangle_that_the_browser_turns_about_its_middle_is_the_placement():
    size = (2500, 2000)
    matrix = similarity(0.0004, 33, (1.5, -0.2))
    placed = place_alone(ScanFrame(size, 0.4))
    placed = type(placed)(matrix)
    told = placed.to_json(size)
    height = told["width"] * size[1] / size[0]
    middle = np.array([told["x"] + told["width"] / 2, told["y"] + height / 2])
    turn = similarity(1, told["degrees"], (0, 0))[:2, :2]
    for share in ([0, 0], [1, 0], [0, 1], [0.3, 0.8]):
        upright = np.array([told["x"], told["y"]]) + np.array(share) * [told["width"], height]
        turned = middle + turn @ (upright - middle)
        assert turned == pytest.approx(placed.apply(np.array(share) * size))
    assert told["matrix"] == matrix[:2].tolist()


def test_a_wrong_resolution_is_noted_only_where_both_are_known():
    found = Registration(similarity(1.3, 0, (0, 0)), 1.0)
    known, unknown = ScanFrame((100, 100), 0.5), ScanFrame((100, 100), None)
    assert "the mpp of one of the scans is wrong" in place_registered(known, known, found).note
    assert place_registered(known, unknown, found).note == ""


def test_a_scale_that_two_scans_of_one_glass_cannot_have_is_refused():
    frame = ScanFrame((100, 100), None)
    with pytest.raises(ValueError, match="times as fine"):
        place_registered(frame, frame, Registration(similarity(50, 0, (0, 0)), 1.0))


def test_the_reference_is_the_first_scan_with_a_resolution():
    known, unknown = ScanFrame((1, 1), 0.5), ScanFrame((1, 1), None)
    assert choose_reference([None, unknown, known, known]) == 2
    assert choose_reference([None, unknown]) == 1
    assert choose_reference([None]) is None
