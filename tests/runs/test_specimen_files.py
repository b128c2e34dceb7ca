"""The page gets what there is of pictures and files; what is missing or damaged is left out."""

import base64

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scangen_bundle.runs.specimen_files import specimen_files
from scangen_bundle.testing import make_slide

from .finished_run import scans, write_finished_run


@pytest.fixture
def run(tmp_path):
    """Specimen g20 has two slides, g21 a damaged one; attention maps are of g20 alone."""
    table = scans(2, 20)
    (tmp_path / "slides").mkdir()
    make_slide(tmp_path / "slides" / "s20A.tif")
    (tmp_path / "slides" / "s21A.tif").write_bytes(b"II*\0 no slide")
    names = [f"slides/{name}.tif" for name in ("s20A", "s20A", "s21A", "s21A")]
    table.assign(slide_path=names).to_csv(tmp_path / "manifest.csv", index=False)
    folder = write_finished_run(tmp_path / "my run", manifest_path=str(tmp_path / "manifest.csv"))
    maps = folder.path / "inference" / "attention"
    (maps / "scanners").mkdir(parents=True)
    Image.fromarray(np.full((900, 1600, 3), 200, dtype=np.uint8)).save(maps / "scanners" / "g20.png")
    (maps / "s20B.geojson").write_text("{}")
    return folder


def collected(run):
    from scangen_bundle.runs import RunSettings

    table = pd.read_csv(run.predictions)
    table = table[table["specimen_id"].isin(["g20", "g21"])]
    return specimen_files(run, RunSettings.read(run.settings), table, ["g20", "g21"])


def test_slides_and_attention_are_small_pictures_in_the_page(run):
    files = collected(run)
    assert set(files.thumbnails) == set(files.attention) == {"g20"}
    for address, longest in ((files.thumbnails["g20"], 220), (files.attention["g20"], 440)):
        kind, _, content = address.partition(",")
        assert kind == "data:image/jpeg;base64"
        (run.path / "picture.jpg").write_bytes(base64.b64decode(content))
        assert max(Image.open(run.path / "picture.jpg").size) <= longest


def test_links_are_relative_to_the_page_and_the_viewer_is_named(run):
    files = collected(run)
    assert [(link.text, link.href) for link in files.links["g20"]] == [
        ("attention", "inference/attention/scanners/g20.png"),
        ("GeoJSON, B", "inference/attention/s20B.geojson"),
    ]
    assert "g21" not in files.links
    assert files.viewer == f"scangen view '{run.path}'"


def test_without_slides_and_maps_there_is_the_viewer_alone(tmp_path):
    files = collected(write_finished_run(tmp_path / "run", manifest_path=str(tmp_path / "gone.csv")))
    assert (files.thumbnails, files.attention, files.links) == ({}, {}, {})
    assert files.viewer.startswith("scangen view ")
