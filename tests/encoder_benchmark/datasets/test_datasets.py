"""Each set's look-alike becomes a manifest that loads; what is missing is named; what it defines is measured."""

import json

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.cohort import load_manifest
from scangen_bundle.encoder_benchmark import BenchmarkJob, MeasureSettings
from scangen_bundle.encoder_benchmark.datasets import (
    CAMELYON17,
    CANINE_SCC,
    DATASETS,
    MIDOGPP,
    PLISM,
    SCORPION,
    load_cohort,
    named_layout,
    scan_table,
    write_manifest,
)
from scangen_bundle.encoder_benchmark.datasets.midog import CASES
from scangen_bundle.encoder_benchmark.matching import shared_scanners
from scangen_bundle.encoder_benchmark.measure import measure_encoder
from scangen_bundle.encoder_benchmark.sources import read_bags
from scangen_bundle.errors import InputError
from scangen_bundle.measures.neighbours import neighbour_counts
from scangen_bundle.measures.of_features.robustness_index import robustness_index

from . import lookalikes

HEAD = {"max_epochs": 2, "folds": 2}
SMALL = {"measures": MeasureSettings(resamples=30, head=HEAD)}


def test_plism_is_paired_tile_by_tile_and_over_stains(tmp_path):
    write_manifest(PLISM, lookalikes.plism_features(tmp_path / "encoder"), tmp_path / "manifest.csv")
    manifest = load_manifest(tmp_path / "manifest.csv")
    assert manifest.groupby("specimen_id").scanner.nunique().tolist() == [7] * 13
    features = read_bags(manifest, tmp_path / "encoder")
    assert features.corresponding == set(manifest.specimen_id)
    assert features.one_frame
    result = measure_encoder(features, manifest, shared_scanners(manifest), MeasureSettings(resamples=20))
    assert result["level"] == "tile"
    assert result["counts"]["places"] == 13 * 12
    assert result["figures"]["retrieval/top1"]["value"] > 0.9
    assert result["figures"]["label_probe/linear"]["reason"] == "no labels"
    number = result["figures"]["stain_pairs/leaderboard"]
    assert number["note"].startswith("4,095 pairs of 91 slides, 12 places")
    assert number["low"] <= number["value"] <= number["high"]
    assert number["baseline"] < number["value"]


def test_what_macos_writes_beside_a_file_is_no_scan(tmp_path):
    layout = named_layout(r"(?P<specimen>[^/]+)_(?P<scanner>\w+)\.tif", "two")
    (tmp_path / "a_x.tif").touch()
    (tmp_path / "._a_x.tif").write_bytes(b"\x00\x05\x16\x07")
    assert list(layout.table(tmp_path)["slide_id"]) == ["a_x"]


def test_missing_scans_are_named(tmp_path):
    folder = lookalikes.plism_features(tmp_path / "encoder", skip={("HRH", "SQ")})
    with pytest.raises(InputError, match=r"of PLISM \(features\) are missing: HRH on SQ \(1 in all\)"):
        write_manifest(PLISM, folder, tmp_path / "manifest.csv")
    assert len(write_manifest(PLISM, folder, tmp_path / "manifest.csv", allow_missing=True)) == 90


def test_plism_tiles_are_encoded_at_their_resolution_and_make_the_leaderboards_number(tmp_path):
    some = {"stains": ("GIV", "GM", "MY"), "scanners": ("AT2", "P", "SQ")}
    folder = lookalikes.plism_tiles(tmp_path / "tiles", **some, tiles=12, side=240)
    with pytest.raises(InputError, match=r"GIV on GT450, .* and 72 more \(82 in all\)"):
        load_cohort("plism-tiles", folder, "", tmp_path / "out", mpp=0.5)
    manifest = load_cohort("plism-tiles", folder, "", tmp_path / "out", allow_missing=True, mpp=0.5)
    results = BenchmarkJob(manifest, ["colour-statistics"], str(tmp_path / "out"), **SMALL).run()
    found = results["encoders"]["colour-statistics"]
    assert found["level"] == "tile"
    assert found["counts"]["places"] == 3 * 12
    entry = found["figures"]["stain_pairs/leaderboard"]
    page = (tmp_path / "out" / "leaderboard.html").read_text()
    assert f"{entry['value']:.3f}" in page.partition("PLISM number")[2]
    assert "36 pairs of 9 slides, 12 places; the published leaderboard has 8,139" in page
    rows = pd.read_csv(tmp_path / "out" / "results.csv").set_index("measure")
    assert rows.value["stain_pairs/leaderboard"] == pytest.approx(entry["value"])


def test_scorpions_samples_are_paired_without_registration(tmp_path):
    folder = lookalikes.scorpion(tmp_path / "set")
    with pytest.raises(InputError, match="474 of 480 specimens altogether"):
        load_cohort("scorpion", folder, "", tmp_path / "out")
    manifest = load_cohort("scorpion", folder, "", tmp_path / "out", allow_missing=True, mpp=0.25)
    assert manifest.patient_id.nunique() == 3
    assert manifest.groupby("specimen_id").size().tolist() == [5] * 6
    results = BenchmarkJob(manifest, ["colour-statistics"], str(tmp_path / "out"), **SMALL).run()
    found = results["encoders"]["colour-statistics"]
    assert found["level"] == "tile"
    assert found["counts"]["places"] == 6  # 512 px of 0.25 µm hold one field of 112 µm
    assert json.loads((tmp_path / "out" / "results.json").read_text())["registration"]["error_um"] == {}


def test_a_scorpion_sample_without_a_scanner_is_named(tmp_path):
    folder = lookalikes.scorpion(tmp_path, scanners=("AT2", "DP200", "GT450", "Philips"))
    assert "slide_1_sample_1 on P1000" in SCORPION.missing(scan_table(SCORPION, folder))


def test_pathorobs_index_is_of_patches_whose_neighbours_are_of_other_slides(tmp_path):
    table, features = lookalikes.pathorob(tmp_path / "data")
    manifest = load_cohort("pathorob-camelyon", tmp_path / "data", "", tmp_path / "out")
    assert len(manifest) == 24  # slides x classes
    measures = MeasureSettings(resamples=30, head=HEAD, robustness_k=11)
    job = BenchmarkJob(manifest, {"uni2h": str(features)}, str(tmp_path / "out"), measures=measures)
    found = job.run()["encoders"]["uni2h"]
    entry = found["figures"]["robustness_index"]
    vectors = {}
    for path in features.glob("*.npz"):
        vectors.update(np.load(path))
    unit = np.stack([vectors[f"{row.slide_id}-{row.patch_id}"] for row in table.itertuples()]).astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    slide, label, centre = (table[name].factorize()[0] for name in ("slide_id", "biological_class", "medical_center"))
    similarity = np.where(slide[:, None] == slide, -np.inf, unit @ unit.T)
    neighbours = np.argsort(-similarity, axis=1)[:, :11]
    expected = robustness_index(neighbour_counts(neighbours, label, centre, 11))
    assert entry["value"] == pytest.approx(expected)
    assert entry["note"].startswith("k = 11, as set")
    assert found["figures"]["cka"]["reason"] == "no specimen was scanned on two scanners"


def test_patches_that_a_feature_file_lacks_are_said(tmp_path):
    skip = {("S-03", f"p{patch}") for patch in range(10)} | {("S-04", "p0")}
    _, features = lookalikes.pathorob(tmp_path, skip=skip)
    manifest = load_cohort("pathorob-camelyon", tmp_path, "", tmp_path / "out")
    found = read_bags(manifest, features)
    assert found.left_out["S-03.normal"] == "none of its 5 patches is in the feature files"
    assert found.warnings == ["11 of 120 patches of the metadata are not in the feature files."]
    (tmp_path / "metadata" / "tcga.csv").write_text("slide_id,patch_id\na,b\n")
    with pytest.raises(InputError, match="columns biological_class, medical_center are missing"):
        scan_table(DATASETS["pathorob-tcga"], tmp_path)


def test_midogs_cases_have_the_scanner_of_their_block(tmp_path):
    assert len(CASES) == 503
    folder = lookalikes.empty_files(tmp_path / "images", [f"{case}.tiff" for case in CASES if case != "404"])
    (folder / "170.tiff").touch()  # of MIDOG 2021, without annotations
    table = scan_table(MIDOGPP, tmp_path).set_index("slide_id")
    assert MIDOGPP.missing(table.reset_index()) == ["404"]
    scanners = {case: table.scanner[case] for case in ("001", "100", "101", "299", "349", "405", "553")}
    assert scanners == {
        "001": "Hamamatsu XR",
        "100": "Hamamatsu S360",
        "101": "Aperio CS2",
        "299": "3D Histech",
        "349": "Aperio CS2",
        "405": "3D Histech",
        "553": "Hamamatsu XR",
    }
    assert "170" not in table.index


def test_canine_carcinomas_are_44_samples_on_five_scanners(tmp_path):
    scanners = ("cs2", "nz20", "nz210", "p1000", "gt450")
    names = [f"scc_{n:02d}_{scanner}.tif" for n in range(1, 45) for scanner in scanners]
    folder = lookalikes.empty_files(tmp_path, names)
    table = scan_table(CANINE_SCC, folder)
    assert (len(table), table.specimen_id.nunique(), CANINE_SCC.missing(table)) == (220, 44, [])
    (folder / "scc_07_nz20.tif").unlink()
    assert CANINE_SCC.missing(scan_table(CANINE_SCC, folder)) == ["scc_07 on nz20"]


def test_camelyon17s_centres_are_blocks_of_twenty_patients(tmp_path):
    names = [f"patient_{patient:03d}_node_{node}.tif" for patient in range(101) for node in range(5)]
    lookalikes.empty_files(tmp_path / "images", names)
    table = scan_table(CAMELYON17, tmp_path).set_index("slide_id")
    some = table.scanner[["patient_000_node_0", "patient_019_node_4", "patient_020_node_1", "patient_099_node_2"]]
    assert some.tolist() == ["centre_0", "centre_0", "centre_1", "centre_4"]
    assert table.patient_id["patient_019_node_4"] == "patient_019"
    assert "patient_100_node_0" not in table.index
    assert CAMELYON17.missing(table.reset_index()) == []
    (tmp_path / "images" / "patient_042_node_3.tif").unlink()
    assert CAMELYON17.missing(scan_table(CAMELYON17, tmp_path)) == ["patient_042_node_3"]


def test_names_with_a_pattern_become_specimens_and_scanners(tmp_path):
    for name in ("01_cs2", "01_nz20", "02_cs2"):
        (tmp_path / f"{name}.tif").touch()
    layout = named_layout(r"(?P<specimen>\d+)_(?P<scanner>\w+)\.tif", "five scanners")
    table = scan_table(layout, tmp_path)
    assert table.specimen_id.tolist() == ["01", "01", "02"]
    assert layout.missing(table) == ["02 on nz20"]


@pytest.mark.parametrize(
    ("pattern", "said"), [("(", "not a regular expression"), (r"(?P<specimen>\d+)", "expected specimen and scanner")]
)
def test_a_pattern_that_does_not_tell_both_is_refused(pattern, said):
    with pytest.raises(InputError, match=said):
        named_layout(pattern)


@pytest.mark.parametrize("name", DATASETS)
def test_another_folder_is_refused_with_what_was_expected_and_where_to_get_it(tmp_path, name):
    dataset = DATASETS[name]
    assert dataset.licence
    with pytest.raises(InputError, match="nothing in it looks like") as error:
        scan_table(dataset, tmp_path)
    assert dataset.expected in str(error.value)
    assert dataset.get in str(error.value)
    with pytest.raises(InputError, match="no such folder"):
        scan_table(dataset, tmp_path / "none")


def test_an_unknown_set_is_refused_with_those_that_are_known(tmp_path):
    with pytest.raises(InputError, match=r"no set is called 'plsm'.*plism-tiles"):
        load_cohort("plsm", tmp_path, "", tmp_path)
