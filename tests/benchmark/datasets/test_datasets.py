"""Each set's look-alike becomes a manifest that loads; what is missing is named."""

import numpy as np
import pytest

from scangen_bundle.benchmark.datasets import CAMELYON17, PLISM, missing_scans, named_layout, scan_table, write_manifest
from scangen_bundle.benchmark.measure import measure
from scangen_bundle.benchmark.sources import read_bags
from scangen_bundle.cohort import load_manifest
from scangen_bundle.errors import InputError


def plism(folder, stains=("GIV", "GMH", "HRH", "KR"), scanners=("AT2", "S60", "SQ"), tiles=20, skip=()):
    """Features in plism-benchmark's layout: the same places on all slides."""
    generator = np.random.default_rng(0)
    places = np.stack([np.arange(tiles), np.arange(tiles) % 5, np.arange(tiles) // 5], axis=1)
    tissue = generator.normal(size=(tiles, 6))
    for stain in stains:
        shift = generator.normal(size=6)
        for scanner in scanners:
            if (stain, scanner) in skip:
                continue
            values = tissue + shift + 0.05 * generator.normal(size=(tiles, 6))
            path = folder / f"{stain}_{scanner}_to_GMH_S60.tif"
            path.mkdir(parents=True)
            np.save(path / "features.npy", np.concatenate([places, values], axis=1).astype(np.float32))
    return folder


def test_plism_is_paired_tile_by_tile(tmp_path):
    write_manifest(PLISM, plism(tmp_path / "encoder"), tmp_path / "manifest.csv")
    manifest = load_manifest(tmp_path / "manifest.csv")
    assert manifest.groupby("specimen_id").scanner.nunique().tolist() == [3] * 4
    features = read_bags(manifest, tmp_path / "encoder")
    assert features.corresponding == {"GIV", "GMH", "HRH", "KR"}
    result = measure(features, manifest, resamples=20)
    assert result["level"] == "tile"
    assert result["counts"]["places"] == 4 * 20
    assert result["figures"]["retrieval/top1"]["value"] > 0.9
    assert result["figures"]["label_probe/linear"]["reason"] == "no labels"


def test_a_missing_scan_is_named(tmp_path):
    folder = plism(tmp_path / "encoder", skip={("HRH", "SQ")})
    with pytest.raises(InputError, match=r"1 scans of PLISM .* are missing: HRH on SQ"):
        write_manifest(PLISM, folder, tmp_path / "manifest.csv")
    assert len(write_manifest(PLISM, folder, tmp_path / "manifest.csv", allow_missing=True)) == 11


def test_camelyon17s_centres_are_blocks_of_twenty_patients(tmp_path):
    for name in (
        "patient_000_node_0",
        "patient_019_node_4",
        "patient_020_node_1",
        "patient_099_node_2",
        "patient_100_node_0",
    ):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / f"{name}.tif").touch()
    table = scan_table(CAMELYON17, tmp_path).set_index("slide_id")
    assert table.scanner.tolist() == ["centre_0", "centre_0", "centre_1", "centre_4"]
    assert table.patient_id["patient_019_node_4"] == "patient_019"
    assert missing_scans(CAMELYON17, table.reset_index()) == []


def test_names_with_a_pattern_become_specimens_and_scanners(tmp_path):
    for name in ("01_cs2", "01_nz20", "02_cs2"):
        (tmp_path / f"{name}.tif").touch()
    layout = named_layout(r"(?P<specimen>\d+)_(?P<scanner>\w+)\.tif", "five scanners")
    table = scan_table(layout, tmp_path)
    assert table.specimen_id.tolist() == ["01", "01", "02"]
    assert missing_scans(layout, table) == ["02 on nz20"]


@pytest.mark.parametrize(
    ("pattern", "said"), [("(", "not a regular expression"), (r"(?P<specimen>\d+)", "expected specimen and scanner")]
)
def test_a_pattern_that_does_not_tell_both_is_refused(pattern, said):
    with pytest.raises(InputError, match=said):
        named_layout(pattern)


def test_another_folder_is_refused_with_what_was_expected(tmp_path):
    with pytest.raises(InputError, match="nothing in it looks like Camelyon17"):
        scan_table(CAMELYON17, tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        scan_table(PLISM, tmp_path / "none")
