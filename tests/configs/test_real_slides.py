"""`run extracting` and `run inferring` on real slides, from a manifest that lies elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest
import yaml
from monai.bundle import run

from scangen_bundle.runs import RunFolder, RunSettings, save_checkpoint
from scangen_bundle.slides import open_slide

ENCODER, FEATURES, TILE_PX = "efficientnet-lite0", 1280, 224


@dataclass(frozen=True)
class Job:
    """Slides (path, stated mpp; None = the file's own) and the resolution to read them at (None = the encoder's 0.5)."""

    slides: list[tuple[str, float | None]]
    mpp: float | None = None
    options: dict = field(default_factory=dict)


JOBS = {
    "sections": Job([("slides/cmu-1-small-region.svs", None), ("slides/tcga-cr-7395-01a-01-ts1.svs", 0.5)]),
    "camelyon": Job([("slides/camelyon_h_and_e.dcm", None)], mpp=29.0),
    "cytology": Job(
        [
            (f"multiscanner_cytology/{name}", 1.5)  # what the files say, 1,000, is not believed
            for name in ("A_BB_574162_1.svs", "N1_BB_574162_1.ndpi", "N2_BB_574162_1.ndpi", "Z_BB_574162_1.tif")
        ],
        mpp=2.0,
        options={"tissue": {"closing_um": 200, "min_area_um2": 200000}},  # docs/resolution.md: smears
    ),
}


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, bundle_root) -> Path:
    """A run folder with an untrained network of the shipped configuration."""
    folder = RunFolder(tmp_path_factory.mktemp("outputs") / "untrained")
    settings = yaml.safe_load((bundle_root / "configs" / "train.yaml").read_text())
    settings = RunSettings({**settings, "encoder_name": ENCODER, "num_features": FEATURES, "allow_outside": True})
    folder.best.parent.mkdir(parents=True)
    settings.write(folder.settings)
    meta = {"encoder": ENCODER, "num_features": FEATURES, "class_names": ["negative", "positive"]}
    save_checkpoint(folder.best, {"network": settings["network_def"].state_dict(), "meta": meta})
    return folder.path


@pytest.mark.parametrize("name", JOBS)
def test_real_slides_get_bags_probabilities_and_attention_at_their_scale(
    name, run_dir, bundle_root, real_data, tmp_path
):
    job = JOBS[name]
    manifest = pd.DataFrame(
        {
            "slide_id": [f"scan{number}" for number in range(len(job.slides))],
            "specimen_id": "specimen" if name == "cytology" else [path.split("/")[1] for path, _ in job.slides],
            "patient_id": "patient",
            "scanner": [f"scanner{number}" for number in range(len(job.slides))],
            "label": "",
            "slide_path": [str(real_data / path) for path, _ in job.slides],
            "mpp": pd.Series([mpp for _, mpp in job.slides], dtype=float),
        }
    )
    manifest.to_csv(tmp_path / "manifest.csv", index=False)
    common = {"dataset_dir": str(tmp_path), "allow_outside": True}
    run(
        run_id="extracting",
        config_file=str(bundle_root / "configs" / "extract_features.yaml"),
        **common,
        **{"mpp": job.mpp, "workers": 1, "tiling#max_tiles": 8, **job.options},
    )
    run(
        run_id="inferring",
        config_file=str(bundle_root / "configs" / "inference.yaml"),
        run_dir=str(run_dir),
        dataset_dir=str(tmp_path),
        prediction_dir=str(tmp_path / "out"),
    )
    predictions = pd.read_csv(tmp_path / "out" / "predictions.csv", index_col="slide_id")
    assert set(predictions.index) == set(manifest.slide_id)
    assert predictions.probability.between(0, 1).all()
    for slide_id, path, stated in manifest[["slide_id", "slide_path", "mpp"]].itertuples(index=False):
        with open_slide(path) as slide:
            size, source = (
                np.array(slide.level_dimensions[0]),
                np.array(slide.mpp if np.isnan(stated) else [stated] * 2),
            )
        check_bag(tmp_path / "features" / ENCODER / f"{slide_id}.h5", size, source, job.mpp or 0.5)
        check_map(tmp_path / "out" / "attention", slide_id, size * source / 1000, TILE_PX * (job.mpp or 0.5) / 1000)
    assert (tmp_path / "out" / "attention" / "scanners" / "specimen.png").exists() == (name == "cytology")


def check_bag(path: Path, size: np.ndarray, source_mpp: np.ndarray, mpp: float) -> None:
    """Finite vectors of tiles that begin on the slide (`size` in px of level 0), read at `mpp`."""
    with h5py.File(path) as bag:
        for axis, source in zip("xy", source_mpp, strict=True):
            assert bag.attrs[f"source_mpp_{axis}"] == pytest.approx(source, rel=1e-6)
            assert bag.attrs[f"effective_mpp_{axis}"] == pytest.approx(mpp, rel=1e-3)
        assert bag["features"].shape[1] == FEATURES
        assert np.isfinite(bag["features"][:]).all()
        assert 2 <= len(bag["coords"]) <= 8
        assert (bag["coords"][:] >= 0).all()
        assert (bag["coords"][:] < size).all()


def check_map(folder: Path, slide_id: str, size_mm: np.ndarray, tile_mm: float) -> None:
    """A picture, and a map that covers the slide with four pixels along a tile."""
    assert (folder / f"{slide_id}.png").stat().st_size > 10_000
    image = nibabel.load(folder / f"{slide_id}.nii.gz")
    pixel_mm = np.array(image.header.get_zooms()[:2])
    assert pixel_mm == pytest.approx([tile_mm / 4] * 2, rel=2e-3)
    covered = np.array(image.shape[:2]) * pixel_mm
    assert (covered > size_mm - pixel_mm).all()
    assert (covered < size_mm + 2 * tile_mm).all()
