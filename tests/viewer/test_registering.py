"""Registered scans lie within 5 µm of each other by the phantom's own geometry; what fails says why."""

import json

import numpy as np
import pytest

from scangen_bundle.cohort import load_manifest
from scangen_bundle.viewer.linking import ScanFrame
from scangen_bundle.viewer.registering import overview_steps, register_scans
from scangen_bundle.viewer.scan_files import ScanFile


def scans_of(phantom, specimen):
    manifest = load_manifest(phantom / "manifest.csv")
    return manifest[manifest["specimen_id"] == specimen]


def test_scans_of_the_phantom_are_linked_within_5_um(phantom):
    rows = scans_of(phantom, "spec001")
    linked = register_scans([ScanFile(path) for path in rows["slide_path"]])
    truth = json.loads((phantom / "truth" / "spec001.json").read_text())
    scans = {scan["slide_id"]: scan for scan in truth["scans"]}
    tissue = np.array([[100.0, 100.0], [350.0, 120.0], [220.0, 360.0]])  # µm on the specimen
    origin = np.array(scans[rows["slide_id"].iloc[0]]["origin_um"])
    for slide_id, scan in zip(rows["slide_id"], linked, strict=True):
        assert scan.linked, scan.reason
        known = scans[slide_id]
        px = (tissue - known["origin_um"]) / known["mpp"]
        place_um = 1000 * scan.placement.apply(px)
        assert np.linalg.norm(place_um - (tissue - origin), axis=1).max() < 5
        assert scan.placement.error < 5


def test_what_cannot_be_read_or_registered_says_why_and_the_others_are_linked(phantom, tmp_path):
    rows, others = scans_of(phantom, "spec001"), scans_of(phantom, "spec002")
    damaged = tmp_path / "damaged.svs"
    damaged.write_bytes(b"no slide")
    files = [
        ScanFile(rows["slide_path"].iloc[0]),
        ScanFile(str(damaged)),
        ScanFile(),
        ScanFile(str(tmp_path / "missing.tif")),
        ScanFile(others["slide_path"].iloc[2]),
        ScanFile(rows["slide_path"].iloc[3]),
    ]
    linked = register_scans(files)
    assert [scan.linked for scan in linked] == [True, False, False, False, False, True]
    assert [scan.placement is None for scan in linked] == [False, True, True, True, False, False]
    assert linked[2].reason == "it has no slide"
    assert "no such slide file" in linked[3].reason
    assert "match" in linked[4].reason  # another specimen's tissue
    assert all(scan.linked != bool(scan.reason) for scan in linked)


def test_no_slide_at_all_is_no_error():
    assert [scan.reason for scan in register_scans([ScanFile(), ScanFile()])] == ["it has no slide"] * 2


def test_overviews_share_their_resolution_where_it_is_known():
    frames = [ScanFrame((60_000, 40_000), 0.25), None, ScanFrame((3000, 1000), None), ScanFrame((20_000, 20_000), 0.5)]
    assert overview_steps(frames) == pytest.approx([25, 0, 5, 25])


def test_a_wrong_resolution_does_not_part_the_scans_but_is_told(phantom):
    rows = scans_of(phantom, "spec001")
    files = [ScanFile(rows["slide_path"].iloc[0]), ScanFile(rows["slide_path"].iloc[2], "", 0.55)]  # it is 0.4415
    linked = register_scans(files)
    assert linked[1].linked
    assert "the mpp of one of the scans is wrong" in linked[1].placement.note


@pytest.mark.parametrize("specimen", ["563479", "574162"])
def test_real_scans_of_four_scanners_are_linked_though_none_knows_its_resolution(real_data, specimen):
    folder = real_data / "multiscanner_cytology"
    scans = {"A": "svs", "N1": "ndpi", "N2": "ndpi", "Z": "tif"}
    files = {name: ScanFile(str(folder / f"{name}_BB_{specimen}_1.{suffix}")) for name, suffix in scans.items()}
    linked = dict(zip(files, register_scans(list(files.values())), strict=True))
    assert all(scan.linked for scan in linked.values()), {name: scan.reason for name, scan in linked.items()}
    assert max(scan.placement.error for scan in linked.values()) < 10  # px
    # registered from another scan, tissue comes out at the same place: an answer that no single registration knows of
    again = dict(zip(["Z", "A"], register_scans([files["Z"], files["A"]]), strict=True))
    aperio = np.array([[1500.0, 1500.0], [3500.0, 1800.0], [2500.0, 3500.0]])
    on_z = 1000 * again["A"].placement.apply(aperio)  # px of the AxioScan
    there = 1000 * linked["Z"].placement.apply(on_z)  # px of the Aperio
    assert np.linalg.norm(there - aperio, axis=1).max() < 15
