from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scangen_bundle.cohort import load_manifest
from scangen_bundle.errors import InputError
from scangen_bundle.phantom import FAR_SCANNERS, SCANNERS, make_phantom_cohort

from .conftest import TINY


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_manifest_obeys_the_cohort_s_rules(tiny_cohort: Path) -> None:
    manifest = load_manifest(tiny_cohort / "manifest.csv")
    assert len(manifest) == 4 * len(SCANNERS)
    assert set(manifest["scanner"]) == {scanner.name for scanner in SCANNERS}
    assert set(manifest["label"]) == {0, 1}
    assert manifest["mpp"].isna().all()
    assert (manifest["split"] == "").all()
    assert all(Path(path).is_file() for path in manifest["slide_path"])
    assert manifest.groupby("patient_id")["specimen_id"].nunique().max() == 2


def test_label_and_phenotype_map_agree(tiny_cohort: Path) -> None:
    labels = pd.read_csv(tiny_cohort / "manifest.csv").drop_duplicates("specimen_id").set_index("specimen_id")["label"]
    for specimen, label in labels.items():
        phenotype = np.asarray(Image.open(tiny_cohort / "truth" / f"{specimen}.png"))
        facts = json.loads((tiny_cohort / "truth" / f"{specimen}.json").read_text())
        altered = (phenotype == facts["phenotype_values"]["altered gland"]).any()
        assert altered == bool(label) == (facts["altered_glands"] > 0)
        assert facts["glands"] > 0
        edge = np.concatenate([phenotype[0], phenotype[-1], phenotype[:, 0], phenotype[:, -1]])
        assert set(edge) == {facts["phenotype_values"]["glass"]}


def test_two_processes_give_the_same_bytes_as_one(tiny_cohort: Path, tmp_path: Path) -> None:
    make_phantom_cohort(tmp_path, **{**TINY, "workers": 2})
    assert digests(tmp_path) == digests(tiny_cohort)


def test_resuming_makes_what_is_missing_and_leaves_the_rest(tmp_path: Path) -> None:
    options = {**TINY, "specimens": 2, "size_um": 250.0}
    make_phantom_cohort(tmp_path, **options)
    before = digests(tmp_path)
    lost = sorted((tmp_path / "slides").iterdir())[3]
    lost.unlink()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "slides").iterdir()}
    make_phantom_cohort(tmp_path, **options)
    assert digests(tmp_path) == before
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


@pytest.mark.parametrize("change", [{"seed": 4}, {"size_um": 310.0}, {"specimens": 5}])
def test_other_parameters_in_the_same_folder_are_refused(tiny_cohort: Path, change: dict[str, float]) -> None:
    before = digests(tiny_cohort)
    with pytest.raises(InputError, match=f"other parameters.*{next(iter(change))}"):
        make_phantom_cohort(tiny_cohort, **{**TINY, **change})
    assert digests(tiny_cohort) == before


@pytest.mark.parametrize(
    "change", [{"specimens": 1}, {"size_um": 100.0}, {"size_um": float("nan")}, {"workers": 0}, {"seed": -1}]
)
def test_numbers_out_of_range_are_refused_before_anything_is_written(tmp_path: Path, change: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(change))):
        make_phantom_cohort(tmp_path / "new", **{**TINY, **change})
    assert not (tmp_path / "new").exists()


def test_a_cohort_can_be_scanned_on_scanners_further_out(tmp_path: Path) -> None:
    scanners = (SCANNERS[0], FAR_SCANNERS[0])
    manifest = make_phantom_cohort(tmp_path, specimens=2, size_um=250.0, workers=1, progress=False, scanners=scanners)
    assert set(load_manifest(manifest)["scanner"]) == {"scanner-1", "far-blur"}
    with pytest.raises(InputError, match="scanners"):
        make_phantom_cohort(tmp_path, specimens=2, size_um=250.0, workers=1, progress=False)
