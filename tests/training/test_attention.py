"""Every slide of an inference run gets its pictures, and every specimen one of all its scanners."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from monai.engines import SupervisedEvaluator
from PIL import Image

from scangen_bundle.data import BagDataset, PrepareBagBatch, collate_bags, make_records
from scangen_bundle.errors import InputError
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.processes import process_pool
from scangen_bundle.testing import make_bag
from scangen_bundle.training import attention
from scangen_bundle.training.attention import AttentionMapHandler

from ..two_processes import in_two_processes

SLIDES = ("s1-A", "s1-B", "s2-A")
COORDS = np.array([[0, 0], [128, 0], [0, 128], [256, 1024], [1024, 256]])


def write_cohort(folder, slide_path):
    """Specimen s1 on scanners A and B, s2 on A; five tiles of 64 µm, features of their own."""
    generator = np.random.default_rng(0)
    rows = []
    for slide_id in SLIDES:
        path = folder / f"{slide_id}.h5"
        make_bag(path, generator.normal(size=(5, 6)), COORDS, tile_px=64, mpp=1.0, source_mpp_x=0.5, source_mpp_y=0.5)
        specimen, scanner = slide_id.split("-")
        rows.append((slide_id, specimen, specimen, scanner, -1, slide_path, str(path), np.nan, ""))
    names = ["slide_id", "specimen_id", "patient_id", "scanner", "label", "slide_path", "features_path", "mpp", "split"]
    return pd.DataFrame(rows, columns=names)


def run(manifest, folder, batch_size=2, **options):
    torch.manual_seed(0)
    network = MaskedMILModel(2, 6).eval()
    records = make_records(manifest, str(folder), num_features=6, num_classes=2)
    loader = torch.utils.data.DataLoader(BagDataset(records), batch_size, collate_fn=collate_bags)
    weights = {}

    def keep(module, inputs, output):
        weights["last"] = output

    handler = AttentionMapHandler(network, records, str(folder / "maps"), manifest, **options)
    evaluator = SupervisedEvaluator(
        "cpu", loader, network, prepare_batch=PrepareBagBatch(), val_handlers=[handler], decollate=False
    )
    evaluator.run()
    network.get_submodule("attention").register_forward_hook(keep)
    expected = {}
    for item in BagDataset(records):
        network(item["image"][None])
        expected[item["slide_id"]] = weights["last"][0].detach().numpy()
    return expected


def files_below(folder):
    """Files at any depth, by their path below the folder."""
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def test_a_slide_has_map_nifti_geojson_and_tiles_and_a_specimen_its_scanners(tmp_path, real_data):
    manifest = write_cohort(tmp_path, str(real_data / "slides" / "cmu-1-small-region.svs"))
    expected = run(manifest, tmp_path)
    kinds = ("{}.png", "{}.nii.gz", "{}.geojson", "tiles/{}.png")
    wanted = {kind.format(slide_id) for slide_id in SLIDES for kind in kinds} | {"scanners/s1.png"}
    assert set(files_below(tmp_path / "maps")) == wanted
    for slide_id in SLIDES:
        features = json.loads((tmp_path / "maps" / f"{slide_id}.geojson").read_text())["features"]
        measured = [feature["properties"]["measurements"]["attention"] for feature in features]
        assert measured == pytest.approx(expected[slide_id].tolist(), abs=1e-6)
        assert [feature["geometry"]["coordinates"][0][0] for feature in features] == COORDS.tolist()
        assert features[0]["geometry"]["coordinates"][0][2] == [128, 128]
        volume = nibabel.load(tmp_path / "maps" / f"{slide_id}.nii.gz")
        assert volume.get_fdata()[1, 1, 0] == pytest.approx(5 * expected[slide_id][0], abs=1e-5)
    wide = Image.open(tmp_path / "maps" / "scanners" / "s1.png")
    assert wide.width > 1.2 * wide.height


def test_slides_named_like_a_contact_sheet_or_a_row_of_scanners_keep_their_maps(tmp_path):
    manifest = write_cohort(tmp_path, "")
    manifest["slide_id"] = manifest["slide_id"].replace({"s1-B": "s1-A_tiles", "s2-A": "s1_scanners"})
    run(manifest, tmp_path, geojson=False)
    names = {f"{slide_id}{kind}" for slide_id in ("s1-A", "s1-A_tiles", "s1_scanners") for kind in (".png", ".nii.gz")}
    assert set(files_below(tmp_path / "maps")) == names | {"scanners/s1.png"}


def test_a_folder_that_takes_no_maps_is_told_before_the_network_runs(tmp_path, monkeypatch):
    manifest = write_cohort(tmp_path, "")
    (tmp_path / "maps").write_text("a file where a folder should be")
    monkeypatch.setattr(MaskedMILModel, "forward", lambda *call: pytest.fail("it ran"))
    with pytest.raises(FileExistsError):
        run(manifest, tmp_path)


def test_without_slides_there_are_maps_on_white_and_no_tiles(tmp_path):
    manifest = write_cohort(tmp_path, "")
    run(manifest, tmp_path, geojson=False)
    found = set(files_below(tmp_path / "maps"))
    assert found == {f"{slide_id}{kind}" for slide_id in SLIDES for kind in (".png", ".nii.gz")} | {"scanners/s1.png"}


def test_a_bag_that_does_not_tell_its_tiles_size_is_left_out_with_a_warning(tmp_path, caplog):
    manifest = write_cohort(tmp_path, "")
    import h5py

    with h5py.File(tmp_path / "foreign.h5", "w") as file:  # another tool's layout: features and coords alone
        file["features"] = np.zeros((5, 6), np.float32)
        file["coords"] = COORDS
    manifest.loc[2, "features_path"] = str(tmp_path / "foreign.h5")
    run(manifest, tmp_path)
    assert "no attention map of 1 slides" in caplog.text
    assert caplog.text.rstrip().endswith("s2-A")
    assert not (tmp_path / "maps" / "s2-A.png").exists()
    assert (tmp_path / "maps" / "scanners" / "s1.png").exists()


def test_a_second_run_keeps_finished_slides_and_draws_what_is_missing_or_has_other_attention(tmp_path):
    manifest = write_cohort(tmp_path, "")
    run(manifest, tmp_path)
    maps = tmp_path / "maps"
    (maps / "s1-B.nii.gz").unlink()  # as if killed before this slide was finished
    (maps / "s2-A.nii.gz").write_bytes(b"of another network")
    before = {name: path.stat().st_mtime_ns for name, path in files_below(maps).items()}

    run(manifest, tmp_path)

    drawn = {name for name, path in files_below(maps).items() if path.stat().st_mtime_ns != before.get(name)}
    again = {f"{slide_id}{kind}" for slide_id in ("s1-B", "s2-A") for kind in (".png", ".nii.gz", ".geojson")}
    assert drawn == again | {"scanners/s1.png"}


def test_several_processes_draw_what_one_does(tmp_path, monkeypatch, real_data):
    manifest = write_cohort(tmp_path, str(real_data / "slides" / "cmu-1-small-region.svs"))
    run(manifest, tmp_path)
    expected = {name: path.read_bytes() for name, path in files_below(tmp_path / "maps").items()}
    shutil.rmtree(tmp_path / "maps")
    monkeypatch.setattr(attention, "PER_PROCESS", 1)
    started = []

    def start(workers, *modules):
        started.append(workers)
        return process_pool(workers, *modules)

    monkeypatch.setattr(attention, "process_pool", start)
    run(manifest, tmp_path, workers=2)
    assert started == [2]
    assert {name: path.read_bytes() for name, path in files_below(tmp_path / "maps").items()} == expected


def test_a_slide_that_another_process_cannot_read_is_one_clear_error(tmp_path, monkeypatch):
    slide = tmp_path / "cut.svs"
    slide.write_bytes(b"no slide")
    monkeypatch.setattr(attention, "PER_PROCESS", 1)
    with pytest.raises(InputError, match=r"cut\.svs"):
        run(write_cohort(tmp_path, str(slide)), tmp_path, workers=2)


def _run_a_share(rank, folder):
    """Scans 0 and 2 in the first process, scan 1 in the second, with the network inside DistributedDataParallel."""
    manifest = write_cohort(Path(folder) / str(rank), "")
    records = make_records(manifest, folder, num_features=6, num_classes=2)
    torch.manual_seed(0)
    network = torch.nn.parallel.DistributedDataParallel(MaskedMILModel(2, 6).eval())
    loader = torch.utils.data.DataLoader(BagDataset(records[rank::2]), 2, collate_fn=collate_bags)
    handler = AttentionMapHandler(network, records, f"{folder}/maps", manifest, geojson=False)
    SupervisedEvaluator(
        "cpu", loader, network, prepare_batch=PrepareBagBatch(), val_handlers=[handler], decollate=False
    ).run()


def test_the_slides_of_two_processes_are_drawn_side_by_side_by_one(tmp_path):
    for rank in "01":
        (tmp_path / rank).mkdir()
    in_two_processes(_run_a_share, str(tmp_path))
    found = set(files_below(tmp_path / "maps"))
    assert found == {f"{slide_id}{kind}" for slide_id in SLIDES for kind in (".png", ".nii.gz")} | {"scanners/s1.png"}
