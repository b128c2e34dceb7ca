"""A small phantom with predictions, as a run that can be viewed."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from scangen_bundle.cohort import load_manifest
from scangen_bundle.phantom import make_phantom_cohort
from scangen_bundle.report.geojson import write_geojson
from scangen_bundle.slides import open_slide
from scangen_bundle.viewer.inputs import ViewedRun, read_viewed_run

TILE_UM = 80.0
# Probabilities on scanners 1 to 6: the second specimen flips, the third has the widest spread without a flip.
PROBABILITIES = {
    "spec000": (0.70, 0.72, 0.71, 0.70, 0.73, 0.72),
    "spec001": (0.45, 0.55, 0.48, 0.52, 0.44, 0.56),
    "spec002": (0.60, 0.99, 0.75, 0.80, 0.65, 0.95),
}


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three specimens of 400 µm on six scanners."""
    folder = tmp_path_factory.mktemp("viewed phantom")
    return make_phantom_cohort(folder, specimens=3, seed=3, size_um=400.0, workers=1, progress=False).parent


@pytest.fixture(scope="session")
def run_folder(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with predictions, a threshold, and attention maps of its inference."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    folder.mkdir()
    table = load_manifest(phantom / "manifest.csv")[["slide_id", "specimen_id", "patient_id", "scanner", "label"]]
    scanner = table["scanner"].str.removeprefix("scanner-").astype(int) - 1
    values = [PROBABILITIES[name][number] for name, number in zip(table["specimen_id"], scanner, strict=True)]
    table.assign(probability=values).to_csv(folder / "predictions.csv", index=False)
    settings = {"threshold": 0.5, "class_names": ["wild type", "mutated"], "unseen_scanners": ["scanner-6"]}
    (folder / "metrics.json").write_text(json.dumps({"settings": settings}))
    attention = folder / "inference" / "attention"
    attention.mkdir(parents=True)
    for row in load_manifest(phantom / "manifest.csv").itertuples():
        write_attention(row, attention)
    return folder


def write_attention(row, folder: Path) -> None:
    """An attention map on a grid of 3 x 3 tiles that starts at the scan's corner; the last tile has the most."""
    with open_slide(row.slide_path) as reader:
        side = TILE_UM / reader.mpp[0]
    places = [(round(x * side), round(y * side)) for y in range(1, 4) for x in range(1, 4)]
    weights = pd.Series(range(1, 10)) / 45
    write_geojson(
        folder / f"{row.slide_id}.geojson", row.slide_id, pd.DataFrame(places).to_numpy(), weights, (side, side)
    )


@pytest.fixture(scope="session")
def viewed(run_folder: Path, phantom: Path) -> ViewedRun:
    return read_viewed_run(run_folder, phantom / "manifest.csv")
