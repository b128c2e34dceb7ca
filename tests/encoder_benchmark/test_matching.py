"""Fields of view that the matching calls the same are the same by the phantom's known geometry."""

import json

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.cohort import load_manifest
from scangen_bundle.encoder_benchmark.matching import (
    MatchSettings,
    check_registration,
    match_specimens,
    shared_scanners,
)
from scangen_bundle.encoder_benchmark.registration_overlay import registration_overlay
from scangen_bundle.slides import open_slide
from scangen_bundle.slides.overview import read_overview
from scangen_bundle.slides.registration import Registration, RegistrationError, register

SETTINGS = MatchSettings(field_um=80.0, overview_um=2.0)


def pairs(text):
    rows = [entry.split("@") for entry in text.split()]
    return pd.DataFrame(rows, columns=["specimen_id", "scanner"])


def test_shared_scanners_are_those_with_most_pairs_of_scans():
    assert shared_scanners(pairs("a@1 a@2 b@1 b@2 c@3")) == ["1", "2"]
    assert shared_scanners(pairs("a@1 a@2 b@1 b@2 c@1 c@2 c@3 d@1 d@2")) == ["1", "2"]
    assert shared_scanners(pairs("a@1 b@2")) == []


def test_places_agree_with_the_phantoms_geometry(phantom):
    manifest = load_manifest(phantom / "manifest.csv")
    manifest = manifest[manifest.specimen_id.isin(sorted(set(manifest.specimen_id))[:2])]
    found = match_specimens(manifest, SETTINGS)
    assert found.left_out == {}
    assert len(found.scanners) == 6
    for specimen in found.specimens:
        truth = json.loads((phantom / "truth" / f"{specimen.specimen_id}.json").read_text())
        origin = {scan["slide_id"]: np.array(scan["origin_um"]) for scan in truth["scans"]}
        place = specimen.centres_um + np.array([origin[name] for name in specimen.slide_ids])[:, None]
        error = np.linalg.norm(place - place[0], axis=2)
        assert error.max() < 2.0  # µm, one pixel of the overview
        assert specimen.error_um < 4.0
        assert specimen.centres_um.shape[1] >= 4


def test_a_specimen_that_lacks_a_scan_or_holds_another_tissue_is_left_out_with_the_reason(phantom):
    manifest = load_manifest(phantom / "manifest.csv")
    manifest = manifest[manifest.scanner.isin(["scanner-1", "scanner-3"])]
    names = sorted(set(manifest.specimen_id))
    manifest = manifest[~((manifest.specimen_id == names[0]) & (manifest.scanner == "scanner-3"))].copy()
    wrong = (manifest.specimen_id == names[1]) & (manifest.scanner == "scanner-3")
    other = manifest[(manifest.specimen_id == names[2]) & (manifest.scanner == "scanner-3")]
    manifest.loc[wrong, "slide_path"] = other.slide_path.item()
    scale = (manifest.specimen_id == names[3]) & (manifest.scanner == "scanner-3")
    manifest.loc[scale, "mpp"] = 0.55  # it is 0.4415
    found = match_specimens(manifest, SETTINGS)
    assert [specimen.specimen_id for specimen in found.specimens] == [names[2]]
    assert found.left_out[names[0]] == "no scan by scanner-3"
    assert "matches agree" in found.left_out[names[1]] or "features match" in found.left_out[names[1]]
    assert "mpp of one of the scans is wrong" in found.left_out[names[3]]


@pytest.mark.parametrize(
    ("degrees", "error", "said"), [(90, 1.0, "turned by 90.0°"), (0, 50.0, "error 50.0 µm, at most 15")]
)
def test_a_registration_that_tiles_cannot_be_read_by_is_refused(degrees, error, said):
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    with pytest.raises(RegistrationError, match=said):
        check_registration(Registration(matrix, error), SETTINGS)


def test_overlay_of_a_right_registration_is_grey_and_of_a_wrong_one_is_coloured(phantom):
    manifest = load_manifest(phantom / "manifest.csv")
    some = manifest[manifest.specimen_id == manifest.specimen_id.iloc[0]]
    overviews = []
    for path in some.slide_path[:2]:
        with open_slide(path) as reader:
            overviews.append(read_overview(reader, tuple(2.0 / value for value in reader.mpp)))
    found = register(*overviews, 2.0)
    wrong = Registration(np.array([[1, 0, 30.0], [0, 1, 30.0], [0, 0, 1]]) @ found.matrix, 0)
    height, width = overviews[0].shape[:2]

    def colour(registration):
        picture = registration_overlay(*overviews, 2.0, registration)
        assert picture.shape == (height, 2 * width, 3)
        right = picture[:, width:].astype(float)
        return np.abs(right[..., 0] - right[..., 1]).mean()

    assert colour(found) < 0.5 * colour(wrong)


def test_four_scanner_cytology_has_the_shift_and_scale_of_its_scans(real_data, tmp_path):
    scans = {"aperio": ("A", "svs", 1), "nanozoomer-2": ("N2", "ndpi", 0.94488), "axioscan": ("Z", "tif", 0.85512)}
    rows = [
        {
            "slide_id": scanner,
            "specimen_id": "574162",
            "patient_id": "one",
            "scanner": scanner,
            "label": "",
            "slide_path": str(real_data / "multiscanner_cytology" / f"{name}_BB_574162_1.{suffix}"),
            "mpp": 1.5 / pixels,
        }
        for scanner, (name, suffix, pixels) in scans.items()
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "manifest.csv", index=False)
    manifest = load_manifest(tmp_path / "manifest.csv", allow_outside=True)
    tissue_options = {"closing_um": 200, "min_area_um2": 200_000}
    found = match_specimens(manifest, MatchSettings(field_um=336.0, overview_px=700, tissue=tissue_options))
    assert found.left_out == {}
    assert found.specimens[0].error_um < 15
    # the published pixel ratios are in the mpp, so what is left is a shift
    for registration in found.specimens[0].registrations:
        assert registration.scale == pytest.approx(1, abs=0.005)
        assert abs(registration.rotation_degrees) < 1
