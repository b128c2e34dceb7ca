"""configs/benchmark.yaml measures slides and folders of features, writes and tracks, and says what it could not measure."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from monai.bundle import ConfigParser

from scangen_bundle.measures.of_features import performance_drop
from scangen_bundle.phantom import make_phantom_cohort
from scangen_bundle.testing import make_bag

SCANNERS = ["scanner-1", "scanner-3"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Four specimens on two scanners, and somebody's features of all but one scan."""
    folder = tmp_path_factory.mktemp("phantom")
    path = make_phantom_cohort(folder, specimens=4, seed=3, size_um=400.0, workers=1, progress=False)
    manifest = pd.read_csv(path)
    manifest = manifest[manifest.scanner.isin(SCANNERS)].assign(
        patient_id=lambda t: t.specimen_id, label=lambda t: t.specimen_id.factorize()[0] % 2
    )
    manifest.to_csv(path, index=False)
    generator = np.random.default_rng(0)
    for slide_id in manifest.slide_id[1:]:
        values = generator.normal(size=(7, 5)).astype(np.float32)
        coords = np.arange(14, dtype=np.int64).reshape(-1, 2)
        path = folder / "features" / "mine" / f"{slide_id}.h5"
        make_bag(path, values, coords, encoder="mine", pooling="own", mpp=1.0, scanner="")
    return folder, manifest


@pytest.fixture(scope="module")
def benchmarked(cohort, bundle_root, tmp_path_factory):
    folder, manifest = cohort
    out = tmp_path_factory.mktemp("outputs")
    parser = ConfigParser()
    parser.read_config(bundle_root / "configs" / "benchmark.yaml")
    encoders = {"colour-statistics": None, "mine": str(folder / "features" / "mine"), "gone": str(folder / "nowhere")}
    changes = {"dataset_dir": str(folder), "output_dir": str(out), "encoders": encoders, "experiment": "bench"}
    changes |= {"max_places": 6, "resamples": 50, "max_tiles": 3, "head": {"max_epochs": 2, "folds": 2}}
    parser.update(changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(performance_drop, "REPEATS", 2)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        parser.get_parsed_content("benchmarking")
    return out, manifest, json.loads((out / "benchmark" / "results.json").read_text())


def test_slides_are_matched_and_colour_statistics_stand_beside(benchmarked):
    out, _, results = benchmarked
    assert set(results["encoders"]) == {"colour-statistics", "mine"}
    colour = results["encoders"]["colour-statistics"]
    assert colour["level"] == "tile"
    assert colour["counts"]["places"] > 4
    assert colour["encoder"]["tiles_per_second"] > 0
    assert set(colour["scanners"]["scanner_recall/linear"]) == set(SCANNERS)
    assert len(list((out / "benchmark" / "registration").glob("*.png"))) == 3
    page = (out / "benchmark" / "leaderboard.html").read_text()
    assert f"colour {colour['figures']['scanner_probe/knn']['value']:.3f}" in page


def test_what_differs_or_is_missing_is_said_in_table_and_page(benchmarked):
    out, manifest, results = benchmarked
    page = re.sub(r"\s+", " ", (out / "benchmark" / "leaderboard.html").read_text())
    first, colour = manifest.slide_id.iloc[0], results["encoders"]["colour-statistics"]
    for sentence in (
        "no such folder of features",
        f"{first} is left out: the folder has no bag of it",
        f"vectors of different length. D = {colour['encoder']['dim']}: colour-statistics; D = 5: mine",
        "different scans. 8 scans: colour-statistics; 7 scans: mine",
        "different numbers of tiles",
        "different resolutions",
        "the means of scans are paired",
    ):
        assert sentence in page, sentence
    rows = pd.read_csv(out / "benchmark" / "results.csv")
    assert "no such folder" in rows[rows.encoder == "gone"].reason.item()
    assert results["encoders"]["mine"]["counts"]["tiles"] == 7 * 3  # max_tiles
    seed = results["settings"]["seed"]
    assert f">{seed}<" in page.partition("How this page was made")[2].replace(" ", "")


def test_each_encoder_is_a_run_below_the_benchmarks(benchmarked):
    from mlflow import MlflowClient

    out, _, results = benchmarked
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("bench").experiment_id])
    by_name = {one.info.run_name: one for one in runs}
    assert set(by_name) == {"benchmark", *results["encoders"]}
    child = by_name["colour-statistics"]
    assert child.data.tags["mlflow.parentRunId"] == by_name["benchmark"].info.run_id
    figures = results["encoders"]["colour-statistics"]["figures"]
    for key in ("cka", "downstream/flip_rate"):
        assert child.data.metrics[f"benchmark/{key}"] == pytest.approx(figures[key]["value"])
    files = {artifact.path for artifact in client.list_artifacts(by_name["benchmark"].info.run_id)}
    assert files == {"results.json", "results.csv", "leaderboard.html"}
