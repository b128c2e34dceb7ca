from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import openslide
import pytest

from scangen_bundle.phantom.build import MARGIN_UM
from scangen_bundle.phantom.digitise import digitise
from scangen_bundle.phantom.plan import plan_cohort, random_stream
from scangen_bundle.phantom.render import RENDER_MPP, render_specimen
from scangen_bundle.phantom.scanners import MAX_SHIFT_UM, SCANNERS, Scanner

GRID_UM = 20.0


def block_means(pixels: np.ndarray, mpp: float, origin: tuple[float, float]) -> np.ndarray:
    """Mean colours of 20 µm squares at fixed places of the SPECIMEN, by slicing whole pixels."""
    places = np.arange(60.0, 240.0, GRID_UM)
    means = []
    for y in places:
        for x in places:
            rows = slice(round((y - origin[1]) / mpp), round((y + GRID_UM - origin[1]) / mpp))
            columns = slice(round((x - origin[0]) / mpp), round((x + GRID_UM - origin[0]) / mpp))
            means.append(pixels[rows, columns].reshape(-1, 3).mean(axis=0))
    return np.array(means)


def apply_colour(scanner: Scanner, rgb: np.ndarray) -> np.ndarray:
    """The scanner's colour response, `255 * white * clip(colour @ rgb / 255, 0, 1) ** gamma`, float32 [..., 3]."""
    mixed = np.clip((rgb.astype(np.float32) / 255.0) @ np.asarray(scanner.colour, np.float32).T, 0.0, 1.0)
    return 255.0 * np.asarray(scanner.white, np.float32) * mixed ** np.asarray(scanner.gamma, np.float32)


@pytest.fixture(scope="module")
def source() -> np.ndarray:
    side = 300.0 + 2 * MAX_SHIFT_UM
    return render_specimen(plan_cohort(4, 3)[0], side, MARGIN_UM + MAX_SHIFT_UM, 3).rgb


@pytest.mark.parametrize("number", range(len(SCANNERS)), ids=[s.name for s in SCANNERS])
def test_the_file_shows_the_rendered_source_in_the_scanner_s_colours_at_its_place(
    tiny_cohort: Path, source: np.ndarray, number: int
) -> None:
    scanner = SCANNERS[number]
    scan = json.loads((tiny_cohort / "truth" / "spec000.json").read_text())["scans"][number]
    assert scan["scanner"] == scanner.name
    with openslide.OpenSlide(tiny_cohort / "slides" / f"{scan['slide_id']}.{scanner.container}") as slide:
        seen = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3]
    expected = block_means(apply_colour(scanner, source), RENDER_MPP, (0.0, 0.0))
    found = block_means(seen, scanner.mpp, tuple(scan["origin_um"]))
    assert expected.std(axis=0).min() > 8  # there is tissue of different colours to compare
    difference = np.abs(found - expected)
    assert difference.mean() < 3.0
    # The same squares 6 µm off fit much worse: the stage's shift and the mpp are right.
    moved = block_means(seen, scanner.mpp, (scan["origin_um"][0] + 6.0, scan["origin_um"][1]))
    assert np.abs(moved - expected).mean() > 2 * difference.mean()


def plain_scanner(**changes: object) -> Scanner:
    ones = (1.0, 1.0, 1.0)
    values: dict[str, object] = {
        "name": "plain",
        "model": "Plain One",
        "mpp": 0.5,
        "magnification": 20,
        "container": "svs",
        "colour": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        "white": ones,
        "gamma": ones,
        "blur_um": 0.0,
        "sharpen": 0.0,
        "noise": 0.0,
        "quality": 90,
        "shift_um": 0.0,
    }
    return Scanner(**{**values, **changes})  # type: ignore[arg-type]


def test_blur_has_the_stated_width() -> None:
    point = np.zeros((101, 101, 3), np.uint8)
    point[:, 50] = 255
    seen = digitise(point, 0.5, plain_scanner(blur_um=1.5), (0.0, 0.0), 50.5, random_stream(0))[50, :, 0].astype(float)
    x = np.arange(101) * 0.5
    centre = (seen * x).sum() / seen.sum()
    assert np.sqrt((seen * (x - centre) ** 2).sum() / seen.sum()) == pytest.approx(1.5, rel=0.05)


def test_noise_has_the_stated_deviation_and_no_bias() -> None:
    grey = np.full((1200, 1200, 3), 128, np.uint8)
    seen = digitise(grey, 0.5, plain_scanner(noise=4.0), (0.0, 0.0), 600.0, random_stream(0)).astype(float)
    assert seen.std() == pytest.approx(4.0, rel=0.03)
    assert seen.mean() == pytest.approx(128, abs=0.1)


def test_sharpening_overshoots_an_edge_and_keeps_flat_areas() -> None:
    edge = np.full((40, 40, 3), 100, np.uint8)
    edge[:, 20:] = 150
    seen = digitise(edge, 0.5, plain_scanner(sharpen=1.0), (0.0, 0.0), 20.0, random_stream(0))[20, :, 0]
    # Beside the edge the binomial mean is 112.5 and 137.5, so the mask moves the pixels 12.5 away from it.
    assert abs(int(seen[19]) - 87.5) <= 1
    assert abs(int(seen[20]) - 162.5) <= 1
    assert set(seen[2:18]) == {100}


def test_a_profile_whose_matrix_tints_grey_is_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        plain_scanner(colour=((1.1, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
