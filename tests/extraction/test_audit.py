"""The audit names scanners whose features come from another scale, tissue or focus."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.bags import write_bag
from scangen_bundle.errors import InputError
from scangen_bundle.extraction import AuditThresholds, ResolutionAudit, audit_scans
from scangen_bundle.extraction.audit import tracked_figures
from scangen_bundle.testing import make_attributes, make_bag_arrays
from tests.bags import layouts_on_disk as disk


def scans(**by_scanner):
    """Two specimens on each scanner; by scanner, what differs from the usual."""
    rows = []
    for scanner, changes in by_scanner.items():
        for specimen, size in (("s", 1.0), ("t", 3.0)):
            usual = {
                "slide_id": f"{specimen}-{scanner}",
                "specimen_id": specimen,
                "scanner": scanner,
                "identified": "",
                "agreement": "unknown",
                "tool": "scangen_bundle",
                "reader": "tifffile",
                "encoder": "fake",
                "pooling": "cls",
                "dim": 4,
                "tile_px": 224,
                "source_mpp_x": 0.25,
                "source_mpp_y": 0.25,
                "read_level": 0,
                "effective_mpp_x": 0.5,
                "effective_mpp_y": 0.5,
                "tiles": 100,
                "tissue_mm2": 2.0,
                "sharpness": 50.0,
            }
            row = {**usual, **changes}
            row["tiles"], row["tissue_mm2"] = row["tiles"] * size, row["tissue_mm2"] * size
            rows.append(row)
    return pd.DataFrame(rows)


def test_scanners_that_are_alike_are_not_flagged():
    report = audit_scans(
        scans(a={}, b={"source_mpp_x": 0.5, "source_mpp_y": 0.5, "read_level": 1}, c={"sharpness": 70.0})
    )
    assert report.flags == []
    assert report.scanners.scanner.tolist() == ["a", "b", "c"]
    assert report.scanners.scans.tolist() == [2, 2, 2]
    assert report.scanners.tiles.tolist() == [200, 200, 200]  # medians of 100 and 300


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"effective_mpp_x": 0.51, "effective_mpp_y": 0.51}, r"b: the resolution of its tiles is \+2.0% off"),
        ({"tissue_mm2": 1.8}, r"b: -10.0% tissue .* pictures .* configs/tissue/smear\.yaml"),
        ({"tiles": 120}, r"b: \+20.0% tiles"),
        ({"sharpness": 10.0}, r"b: 0.2 times the other scanners' sharpness"),
        ({"source_mpp_x": 0.26}, "b: its pixels are not square, 0.26 x 0.25"),
        ({"effective_mpp_x": np.nan}, "b: the resolution of its tiles is not known; its files do not say how many px"),
        (
            {"effective_mpp_x": np.nan, "source_mpp_x": np.nan},
            "b: the resolution of its tiles is not known; state the slides' mpp",
        ),
        ({"encoder": "other"}, "all: features of more than one encoder: fake, other"),
        ({"encoder": ""}, "all: features of more than one encoder: not stated, fake"),
        ({"dim": 8}, "all: features of more than one dim: 4, 8"),
        ({"agreement": "disagreement", "identified": "aperio-at2"}, "b: s-b: the file says aperio-at2"),
    ],
)
def test_the_scanner_that_differs_is_named_and_no_other(changes, text):
    report = audit_scans(scans(a={}, b=changes, c={}))
    assert report.flags
    assert pd.Series(report.flags).str.contains(text).any(), report.flags
    assert all(flag.startswith(("b:", "all:")) for flag in report.flags)


def test_of_two_scanners_the_whole_difference_counts():
    # 1.5 % apart: each is 0.75 % off their mean, which is below the threshold of 1 %.
    report = audit_scans(scans(a={}, b={"effective_mpp_x": 0.5075, "effective_mpp_y": 0.5075}))
    assert len(report.flags) == 2


def test_scans_of_one_scanner_that_differ_are_flagged():
    table = scans(a={}, b={}, c={})
    table.loc[2, ["effective_mpp_x", "effective_mpp_y"]] = 0.6
    assert any("its scans differ in resolution, 0.5 to 0.6" in flag for flag in audit_scans(table).flags)


def test_other_specimens_have_other_tissue():
    table = scans(a={}, b={"tissue_mm2": 9.0, "tiles": 900, "sharpness": 500.0})
    table["specimen_id"] = table["slide_id"]
    assert [flag.partition(":")[2] for flag in audit_scans(table).flags] == [
        " 0.1 times the other scanners' sharpness",
        " 10 times the other scanners' sharpness",
    ]


def test_thresholds_can_be_chosen():
    table = scans(a={}, b={"tissue_mm2": 1.8}, c={})
    assert audit_scans(table, AuditThresholds(tissue=0.2)).flags == []


def manifest_of(rows):
    columns = [
        "slide_id",
        "specimen_id",
        "patient_id",
        "scanner",
        "label",
        "slide_path",
        "features_path",
        "mpp",
        "split",
    ]
    return pd.DataFrame(
        [(s, "x", "p", scanner, 0, "", path, mpp, "") for s, scanner, path, mpp in rows], columns=columns
    )


def test_the_magnification_buckets_of_trident_show(tmp_path):
    """Both scanners are "40x" and read as "20x": 0.442 and 0.528 µm/px, 19 % apart (peers' rounding)."""
    manifest = manifest_of(
        [
            ("a", "s360", str(disk.trident(tmp_path / "a")), 0.221),
            ("b", "gt450", str(disk.trident(tmp_path / "b")), 0.264),
        ]
    )
    report = ResolutionAudit(manifest, tmp_path, tmp_path / "out").run()
    assert report.slides.effective_mpp.tolist() == pytest.approx([0.442, 0.528])
    assert any(flag.startswith("gt450: the resolution of its tiles is +19.5% off") for flag in report.flags)


def test_own_and_imported_bags_in_one_audit(tmp_path, capsys):
    features, coords = make_bag_arrays(5, disk.D)
    attributes = make_attributes(
        slide_id="own", dim=disk.D, tissue_mm2=1.5, sharpness=30.0, versions='{"reader": "openslide"}'
    )
    write_bag(tmp_path / "bags" / "own.h5", features, coords, attributes)
    manifest = manifest_of(
        [
            ("own", "a", "", np.nan),
            ("stamp", "b", str(disk.stamp(tmp_path, "current")), np.nan),
            ("none", "c", "", np.nan),
        ]
    )
    report = ResolutionAudit(manifest, tmp_path / "bags", tmp_path / "out").run()
    table = pd.read_csv(tmp_path / "out" / "audit.csv").set_index("scanner")
    assert table.effective_mpp.to_dict() == pytest.approx({"a": 0.5, "b": 256 / 224}, rel=1e-4)
    assert table.tissue_mm2["a"] == 1.5
    assert table.reader["a"] == "openslide"
    assert len(pd.read_csv(tmp_path / "out" / "audit_slides.csv")) == 2
    assert any("1 scans have no features: none" in flag for flag in report.flags)
    assert "more than one tool" in capsys.readouterr().out


def test_tracked_figures_are_the_scanners_medians_by_name(tmp_path):
    manifest = manifest_of([("a", "s360 (left)", str(disk.trident(tmp_path / "a")), 0.221)])
    figures = tracked_figures(ResolutionAudit(manifest, tmp_path, tmp_path / "out").run())
    assert figures["audit/s360 (left)/effective_mpp"] == pytest.approx(0.442)


def test_a_manifest_without_any_features_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no features of this manifest"):
        ResolutionAudit(manifest_of([("a", "s", "", np.nan)]), tmp_path, tmp_path).run()


def test_damaged_files_are_all_named_after_the_others_were_audited(tmp_path):
    features, coords = make_bag_arrays(5, disk.D)
    for name in "abc":
        write_bag(tmp_path / f"{name}.h5", features, coords, make_attributes(slide_id=name, dim=disk.D))
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[content.index(features.tobytes())] ^= 1  # one bit of a stored row
    (tmp_path / "a.h5").write_bytes(content)
    (tmp_path / "b.h5").write_bytes(b"no HDF5")
    manifest = manifest_of([(name, "s", "", np.nan) for name in "abc"])
    with pytest.raises(
        InputError, match=r"2 feature files cannot be used; the others were audited\n.*a\.h5.*\n.*b\.h5"
    ):
        ResolutionAudit(manifest, tmp_path, tmp_path / "out").run()
    assert pd.read_csv(tmp_path / "out" / "audit_slides.csv").slide_id.tolist() == ["c"]
