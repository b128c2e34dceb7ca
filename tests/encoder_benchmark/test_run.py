"""The job measures, resumes, tracks and writes; features of a folder and of slides; what cannot be paired says why."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scangen_bundle.encoder_benchmark import BenchmarkJob, MeasureSettings, TileSettings, run
from scangen_bundle.encoder_benchmark.measure import settle_k
from scangen_bundle.errors import InputError
from scangen_bundle.measures.feature_measure import feature_measures
from scangen_bundle.measures.of_features import label_probe
from scangen_bundle.runs import TrackingSettings
from scangen_bundle.testing import make_bag

HEAD = {"max_epochs": 3, "folds": 2}
SMALL = {"tiles": TileSettings(max_places=6), "measures": MeasureSettings(resamples=50, head=HEAD)}


OURS = {"encoder": "colour-statistics", "pooling": "own", "scanner": ""}


def write_bags(folder, manifest, effect=0.0, mpp=0.5, tiles=(5, 9), dim=8, skip=()):
    """Bags whose vectors are a specimen's direction, a scanner's and noise."""
    generator = np.random.default_rng(0)
    specimen = {name: generator.normal(size=dim) for name in sorted(set(manifest.specimen_id))}
    scanner = {name: generator.normal(size=dim) for name in sorted(set(manifest.scanner))}
    for i, row in enumerate(manifest.itertuples()):
        if row.slide_id in skip:
            continue
        count = tiles[i % 2]
        centre = specimen[row.specimen_id] + effect * scanner[row.scanner]
        values = centre + 0.1 * generator.normal(size=(count, dim))
        effective = mpp if row.scanner == "b" else 0.5
        coords = np.arange(2 * count, dtype=np.int64).reshape(-1, 2)
        make_bag(folder / f"{row.slide_id}.h5", values, coords, effective_mpp_x=effective, **OURS)
    return str(folder)


def table(specimens=12, scanners="abc"):
    rows = [
        {
            "slide_id": f"s{i}_{scanner}",
            "specimen_id": f"s{i}",
            "patient_id": f"p{i}",
            "scanner": scanner,
            "label": i % 2,
            "slide_path": "",
            "features_path": "",
            "mpp": np.nan,
            "split": "",
        }
        for i in range(specimens)
        for scanner in scanners
    ]
    return pd.DataFrame(rows)


def values(results, name):
    return {key: entry["value"] for key, entry in results["encoders"][name]["figures"].items()}


@pytest.fixture(scope="module")
def two_folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    manifest = table()
    encoders = {
        "robust": write_bags(folder / "robust", manifest),
        "fragile": write_bags(folder / "fragile", manifest, effect=4.0),
    }
    return folder, BenchmarkJob(manifest, encoders, str(folder / "out"), **SMALL).run()


def test_a_scanner_in_the_features_is_ranked_below_none(two_folders):
    _, results = two_folders
    robust, fragile = values(results, "robust"), values(results, "fragile")
    for key, better in (
        ("retrieval/top1", 1),
        ("cosine/gap", 1),
        ("variance/scanner", -1),
        ("scanner_probe/linear", -1),
    ):
        assert better * robust[key] > better * fragile[key], key
    assert robust["robustness_index"] > fragile["robustness_index"]
    entry = results["encoders"]["robust"]["figures"]["variance/tissue"]
    assert entry["low"] <= entry["value"] <= entry["high"]


def test_other_tile_counts_are_paired_by_scan_and_said_so(two_folders):
    folder, results = two_folders
    assert results["encoders"]["robust"]["level"] == "scan"
    page = (folder / "out" / "leaderboard.html").read_text()
    assert "the means of scans are paired" in page
    assert "Research use only" in page


def test_results_are_written_as_json_and_csv(two_folders):
    folder, results = two_folders
    assert json.loads((folder / "out" / "results.json").read_text()) == json.loads(json.dumps(results))
    rows = pd.read_csv(folder / "out" / "results.csv")
    found = rows[(rows["encoder"] == "robust") & (rows["measure"] == "cka")]["value"].item()
    assert found == pytest.approx(values(results, "robust")["cka"])


def test_an_encoder_that_was_measured_is_not_measured_again(two_folders, monkeypatch):
    folder, _ = two_folders
    encoders = {name: str(folder / name) for name in ("robust", "fragile")}
    monkeypatch.setattr(run, "measure_encoder", lambda *_: pytest.fail("it was measured again"))
    BenchmarkJob(table(), encoders, str(folder / "out"), **SMALL).run()
    more = MeasureSettings(resamples=60, head=HEAD)
    with pytest.raises(pytest.fail.Exception):
        BenchmarkJob(table(), encoders, str(folder / "out"), **{**SMALL, "measures": more}).run()


def test_a_bag_replaced_by_an_older_one_is_measured_again(tmp_path):
    manifest = table()
    folder = write_bags(tmp_path / "bags", manifest)
    first = BenchmarkJob(manifest, {"x": folder}, str(tmp_path / "out"), **SMALL).run()
    write_bags(tmp_path / "bags", manifest, effect=4.0)
    for bag in (tmp_path / "bags").iterdir():
        os.utime(bag, (1, 1))
    second = BenchmarkJob(manifest, {"x": folder}, str(tmp_path / "out"), **SMALL).run()
    assert values(second, "x")["cosine/gap"] < values(first, "x")["cosine/gap"]


def draw_picture(path, seed):
    """Two tiles of noise, each of another colour."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (224, 448, 3)) * generator.random((1, 2, 3)).repeat(224, axis=1)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def test_a_slide_that_was_replaced_is_encoded_again(tmp_path):
    manifest = table(3, "ab")
    manifest["slide_path"] = [str(tmp_path / f"{slide_id}.png") for slide_id in manifest["slide_id"]]
    manifest["mpp"] = 0.5
    for path in manifest["slide_path"]:
        draw_picture(path, seed=1)
    job = {"encoders": ["colour-statistics"], "output_dir": str(tmp_path / "out"), **SMALL}
    job["tiles"] = TileSettings(mpp=0.5)
    first = BenchmarkJob(manifest, **job).run()
    draw_picture(manifest["slide_path"][0], seed=2)
    second = BenchmarkJob(manifest, **job).run()
    colour = "colour-statistics"
    assert values(second, colour)["cosine/same_tissue"] < values(first, colour)["cosine/same_tissue"]


def test_one_scanner_and_no_shared_specimens_leave_paired_measures_out_with_the_reason(tmp_path):
    manifest = table(scanners="a")
    encoders = {"one": write_bags(tmp_path / "one", manifest)}
    results = BenchmarkJob(manifest, encoders, str(tmp_path / "out"), **SMALL).run()
    assert results["encoders"]["one"]["figures"]["cka"]["reason"] == "one scanner only"
    assert results["encoders"]["one"]["figures"]["scanner_probe/linear"]["reason"] == "one scanner only"
    manifest = pd.concat(
        [table(scanners="a"), table(scanners="b").replace(regex={"specimen_id": "s", "patient_id": "p"}, value="q")]
    )
    results = BenchmarkJob(
        manifest, {"two": write_bags(tmp_path / "two", manifest)}, str(tmp_path / "out"), **SMALL
    ).run()
    figures = results["encoders"]["two"]["figures"]
    assert figures["cka"]["reason"] == "no specimen was scanned on two scanners"
    assert figures["scanner_probe/linear"]["value"] is not None
    assert "no specimen was scanned on two scanners" in (tmp_path / "out" / "leaderboard.html").read_text()


def test_other_resolutions_and_missing_bags_are_said(tmp_path):
    manifest = table()
    encoders = {"mixed": write_bags(tmp_path / "mixed", manifest, mpp=0.46, skip=("s3_a",))}
    results = BenchmarkJob(manifest, encoders, str(tmp_path / "out"), **SMALL).run()["encoders"]["mixed"]
    assert "different effective resolutions" in results["warnings"][0]
    assert results["left_out"] == {"s3_a": "the folder has no bag of it"}
    assert results["counts"]["places"] == 11


def test_every_measure_has_a_value_an_interval_and_a_baseline(two_folders):
    _, results = two_folders
    figures = results["encoders"]["robust"]["figures"]
    measures = {key: measure for key, measure in feature_measures().items() if measure.by != "scanner"}
    assert list(figures) == [key for key in measures if not key.startswith("stain_pairs/")]
    for key, entry in figures.items():
        assert entry["value"] is not None, (key, entry["reason"])
        if key != "robustness_ltm10":  # few scans: the worst tenth is 0 in every resample
            assert entry["low"] is not None, (key, entry["interval_reason"])
        assert (entry["baseline"] is not None) == bool(measures[key].baseline), key


def test_a_measure_that_fails_is_a_cell_with_its_reason_and_the_others_go_on(tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr(label_probe, "linear_probe", broken)
    folder = write_bags(tmp_path / "bags", table(6))
    results = BenchmarkJob(table(6), {"x": folder}, str(tmp_path / "out"), **SMALL).run()
    figures = results["encoders"]["x"]["figures"]
    assert figures["label_probe/linear"]["value"] is None
    assert figures["label_probe/linear"]["reason"] == "ZeroDivisionError: by hand"
    assert figures["scanner_probe/linear"]["value"] is not None
    assert "ZeroDivisionError: by hand" in (tmp_path / "out" / "leaderboard.html").read_text()


def test_pairs_of_scanners_with_different_numbers_of_patients_are_measured(tmp_path):
    manifest = table(40)
    few = manifest["specimen_id"].str[1:].astype(int) < 24
    manifest = manifest[few | (manifest["scanner"] != "c")].reset_index(drop=True)
    folder = write_bags(tmp_path / "bags", manifest)
    results = BenchmarkJob(manifest, {"x": folder}, str(tmp_path / "out"), **SMALL).run()
    entry = results["encoders"]["x"]["figures"]["performance_drop/id"]
    assert entry["value"] is not None, entry["reason"]
    assert "splits" in entry["note"]


def test_specimens_of_one_tile_have_no_silhouette(tmp_path):
    manifest = table(8, "a")
    folder = write_bags(tmp_path / "bags", manifest, tiles=(1, 1))
    results = BenchmarkJob(manifest, {"x": folder}, str(tmp_path / "out"), **SMALL).run()
    entry = results["encoders"]["x"]["figures"]["silhouette/tissue"]
    assert entry["value"] is None
    assert "the only one of its specimen" in entry["reason"]


def test_features_that_do_not_vary_are_reasons_and_no_traceback(tmp_path):
    manifest = table(6)
    for slide_id in manifest["slide_id"]:
        coords = np.arange(6, dtype=np.int64).reshape(-1, 2)
        make_bag(tmp_path / "bags" / f"{slide_id}.h5", np.ones((3, 8)), coords, **OURS)
    results = BenchmarkJob(manifest, {"x": str(tmp_path / "bags")}, str(tmp_path / "out"), **SMALL).run()
    assert results["encoders"]["x"]["figures"]["cka"]["reason"] == "the features do not vary"
    assert set(results["encoders"]["x"]["pairs"]["cka"].values()) == {None}


def test_encoders_are_compared_at_one_k(two_folders):
    _, results = two_folders
    best = sorted(result["best_k"] for result in results["encoders"].values())
    for result in results["encoders"].values():
        entry = result["figures"]["robustness_index"]
        assert entry["note"].startswith(f"k = {best[0]}, the median")
        assert entry["value"] == result["by_k"]["robustness_index"][str(best[0])]["value"]


def test_k_is_the_median_of_the_best_ones_or_as_set():
    def result(best, ks=(1, 3, 5)):
        by_k = {str(k): {"value": k / 10, "reason": ""} for k in ks}
        names = ("robustness_index", "generalisation_index")
        return {"best_k": best, "by_k": dict.fromkeys(names, by_k), "figures": {}}

    results = {"a": result(5), "b": result(1), "c": result(3), "few": result(1, (1,)), "none": result(None, ())}
    settle_k(results)
    assert [one["figures"].get("robustness_index", {}).get("value") for one in results.values()] == [0.1] * 4 + [None]
    settle_k(results, 3)
    assert results["a"]["figures"]["robustness_index"]["value"] == 0.3
    assert results["few"]["figures"]["robustness_index"]["reason"] == "k = 3 is not among 1"


def test_bags_of_two_lengths_and_wrong_folders_are_refused(tmp_path):
    manifest = table(2)
    write_bags(tmp_path / "bags", manifest[:3], dim=8)
    write_bags(tmp_path / "bags", manifest[3:], dim=6)
    with pytest.raises(InputError, match="bags of two encoders"):
        BenchmarkJob(manifest, {"x": str(tmp_path / "bags")}, str(tmp_path / "out"), **SMALL).run()
    with pytest.raises(InputError, match="no such folder of features"):
        BenchmarkJob(manifest, {"x": str(tmp_path / "none")}, str(tmp_path / "out"), **SMALL).run()
    with pytest.raises(InputError, match="none to measure"):
        BenchmarkJob(manifest, [], str(tmp_path / "out"))


def test_colour_statistics_stand_beside_encoders_of_slides(tmp_path):
    manifest = table(2)
    assert list(BenchmarkJob(manifest, ["uni"], str(tmp_path)).folders) == ["uni", "colour-statistics"]
    assert list(BenchmarkJob(manifest, {"uni": "features/uni"}, str(tmp_path)).folders) == ["uni"]


def test_results_are_tracked_in_the_store_that_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = f"sqlite:///{tmp_path / 'lab.db'}"
    tracker = TrackingSettings(tracking_uri=store).start_run(tmp_path / "out", "benchmark", {})
    assert tracker.uri == store
    assert (tmp_path / "lab.db").is_file()
    assert not (tmp_path / "out" / "mlflow.db").exists()


@pytest.mark.parametrize("name", ["../x", "/x", "", ".."])
def test_an_encoders_name_that_would_leave_the_output_folder_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="encoders: the name"):
        BenchmarkJob(pd.DataFrame({"scanner": ["a"]}), {name: str(tmp_path)}, str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        (TileSettings, {"tissue": {"min_areaum2": 1}}, r"tissue: does not know \['min_areaum2'\]"),
        (
            TileSettings,
            {"registration": {"afine": True}},
            r"registration: does not know \['afine'\] -> it takes affine",
        ),
        (TileSettings, {"registration": {"seed": 1}}, r"registration: does not know \['seed'\]"),
        (TileSettings, {"max_places": 0}, "max_places is 0"),
        (MeasureSettings, {"head": {"epochs": 3}}, r"head: does not know \['epochs'\] -> it takes .*max_epochs"),
        (MeasureSettings, {"resamples": 0}, "resamples is 0"),
    ],
    ids=str,
)
def test_options_that_do_not_exist_are_refused(settings, options, message):
    with pytest.raises(InputError, match=message):
        settings(**options)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            {"tiles": TileSettings(encoder_options={"uni": {}})},
            r"encoder_options: does not know \['uni'\] -> it takes colour-statistics",
        ),
        ({"scanners": ["a", "d"]}, r"scanners: does not know \['d'\] -> it takes a, b, c"),
    ],
    ids=["encoder", "scanner"],
)
def test_names_that_do_not_exist_are_refused_before_any_work(tmp_path, option, message):
    with pytest.raises(InputError, match=message):
        BenchmarkJob(table(), ["colour-statistics"], str(tmp_path / "out"), **option)
    assert not (tmp_path / "out").exists()
