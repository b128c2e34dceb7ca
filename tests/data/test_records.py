"""Records from a manifest, and what is refused."""

import json
import tracemalloc

import h5py
import numpy as np
import pytest
import torch

from scangen_bundle.data import class_weights, feature_identity, make_records
from scangen_bundle.errors import InputError
from tests.bags import layouts_on_disk as disk

from .cohort import FEATURES, write_cohort_bag

SIZES = {"num_features": FEATURES, "num_classes": 2}


def test_one_record_per_scan_in_the_order_of_the_manifest(manifest):
    records = make_records(manifest, "", **SIZES)
    assert [record["slide_id"] for record in records] == manifest.slide_id.tolist()
    assert [record["label"] for record in records] == manifest.label.tolist()
    assert [record["num_tiles"] for record in records] == [24 - (s + c) % 4 for s in range(6) for c in range(3)]
    assert len({(record["specimen"], record["scanner"]) for record in records}) == 18


def test_specimens_and_scanners_have_the_same_numbers_in_every_split(manifest):
    table = manifest.assign(split=["train" if name < "p003" else "val" for name in manifest.specimen_id])
    everything = {r["slide_id"]: (r["specimen"], r["scanner"]) for r in make_records(table, "", **SIZES)}
    for split, expected in (("train", 9), ("val", 9)):
        records = make_records(table, "", split, **SIZES)
        assert len(records) == expected
        assert all(everything[r["slide_id"]] == (r["specimen"], r["scanner"]) for r in records)


def test_a_scanner_that_only_validation_has_is_allowed_and_named(manifest, caplog):
    patient_split = manifest.assign(split=["train" if name < "p003" else "val" for name in manifest.specimen_id])
    make_records(patient_split, "", "val", **SIZES)
    assert "never sees" not in caplog.text
    table = patient_split.copy()
    table.loc[(table.split == "train") & (table.scanner == "scanner 2"), "split"] = "excluded"
    assert len(make_records(table, "", "val", **SIZES)) == 9
    assert "scanners that training never sees: scanner 2" in caplog.text


def test_a_bag_without_a_path_lies_in_the_features_folder(manifest):
    folder = manifest.features_path[0].rsplit("/", 1)[0]
    records = make_records(manifest.assign(features_path=""), folder, **SIZES)
    assert records[4]["features_path"] == manifest.features_path[4]


@pytest.mark.parametrize(
    ("attributes", "features", "said"),
    [
        pytest.param({}, np.zeros((3, FEATURES + 1)), rf"D = {FEATURES + 1} \(fake\)", id="another D"),
        pytest.param({}, np.zeros((0, FEATURES)), "no tile", id="empty"),
        pytest.param({"encoder": "other"}, np.zeros((3, FEATURES)), "encoder is 'other'", id="another encoder"),
        pytest.param({"revision": "2"}, np.zeros((3, FEATURES)), "revision is '2'", id="another revision"),
        pytest.param({"mpp": 1.0}, np.zeros((3, FEATURES)), "mpp is 1.0", id="another resolution"),
    ],
)
def test_a_bag_that_does_not_fit_is_named(manifest, tmp_path, attributes, features, said):
    path = tmp_path / "odd.h5"
    write_cohort_bag(path, "odd", features, **attributes)
    table = manifest.copy()
    table.loc[7, "features_path"] = str(path)
    with pytest.raises(InputError, match=said) as error:
        make_records(table, "", **SIZES)
    assert "odd.h5" in str(error.value)


def test_bags_after_one_that_tells_nothing_have_to_agree_too(manifest, tmp_path):
    torch.save(torch.zeros(3, FEATURES), tmp_path / "silent.pt")
    table = manifest.copy()
    table.loc[0, "features_path"] = str(tmp_path / "silent.pt")
    make_records(table, "", **SIZES)
    write_cohort_bag(tmp_path / "odd.h5", "odd", np.zeros((3, FEATURES)), encoder="other")
    table.loc[7, "features_path"] = str(tmp_path / "odd.h5")
    with pytest.raises(InputError, match=r"odd\.h5: its encoder is 'other', that of p000_s1\.h5 is 'fake'"):
        make_records(table, "", **SIZES)


def test_rows_of_several_tools_go_together_where_the_encoder_is_one(manifest, tmp_path):
    features, coords = np.zeros((3, 1536), np.float32), np.arange(6).reshape(3, 2) * 448
    write_cohort_bag(tmp_path / "ours.h5", "ours", features, encoder="uni2-h")
    with h5py.File(tmp_path / "trident.h5", "w") as file:
        file.create_dataset("features", data=features).attrs["encoder"] = "uni_v2"
        stated = {"patch_size": 224, "patch_size_level0": 448, "target_magnification": 20}
        file.create_dataset("coords", data=coords).attrs.update(stated)
    with h5py.File(tmp_path / "stamp.h5", "w") as file:
        file["feats"], file["coords"] = features, coords / 4
        file.attrs.update({"unit": "um", "tile_size_um": 112.0, "tile_size_px": 224, "extractor": "uni2"})
    torch.save(torch.from_numpy(features), tmp_path / "slide2vec.pt")
    meta = {"artifact_type": "tile_embeddings", "encoder_name": "uni2", "requested_tile_size_px": 224}
    (tmp_path / "slide2vec.meta.json").write_text(json.dumps({**meta, "requested_spacing_um": 0.5}))
    names = ["ours.h5", "trident.h5", "stamp.h5", "slide2vec.pt"]
    table = manifest.iloc[:4].assign(features_path=[str(tmp_path / name) for name in names])
    records = make_records(table, "", num_features=1536, num_classes=2)
    made = {"encoder": "uni2-h", "pooling": "cls", "tile_px": 224, "mpp": 0.5}
    assert [record["made_by"] for record in records] == [{**made, "revision": "1"}, made, made, made]


def test_the_features_identity_is_what_any_of_the_bags_tells(manifest):
    records = make_records(manifest, "", **SIZES)
    told = {"encoder": "fake", "revision": "1", "pooling": "cls", "tile_px": 224, "mpp": 0.5}
    assert feature_identity(records) == told
    records[0]["made_by"] = {}  # such as a tensor file, which tells nothing
    assert feature_identity(records) == told
    assert feature_identity([{"made_by": {}}]) == {}


def test_all_missing_bags_are_counted_and_the_first_are_named(manifest, tmp_path):
    with pytest.raises(
        InputError, match=r"18 of 18 scans have no feature bag: p000_s0, .* and 13 more -> run extracting"
    ):
        make_records(manifest.assign(features_path=""), str(tmp_path), **SIZES)
    table = manifest.assign(features_path=[f"/nowhere/{name}.h5" for name in manifest.slide_id])
    with pytest.raises(InputError, match=r"not there: /nowhere/p000_s0\.h5, .* and 13 more -> correct features_path"):
        make_records(table, "", **SIZES)


def test_one_file_of_features_for_two_scans_is_refused(manifest):
    table = manifest.copy()
    table.loc[7, "features_path"] = table.loc[3, "features_path"].replace("/features/", "/features/./")
    with pytest.raises(InputError, match=r"p002_s1 and p001_s0 have one file of features, .*/p001_s0\.h5"):
        make_records(table, "", **SIZES)


def test_the_bag_of_another_scan_under_this_scans_name_is_refused(manifest, tmp_path):
    write_cohort_bag(tmp_path / "p000_s0.h5", "p000_s1", np.zeros((3, FEATURES)))
    with pytest.raises(InputError, match=r"is the bag of 'p000_s1' under the name of 'p000_s0'"):
        make_records(manifest.head(1).assign(features_path=""), str(tmp_path), **SIZES)


def test_features_of_another_encoder_than_the_named_one_are_refused(manifest, tmp_path):
    table = manifest.head(1)
    assert make_records(table, "", **SIZES, encoder="fake")
    problem = "of the encoder 'fake', but 'efficientnet-lite0' is named -> set --encoder_name fake"
    with pytest.raises(InputError, match=problem):
        make_records(table, "", **SIZES, encoder="efficientnet-lite0")
    table = table.assign(features_path=str(disk.clam(tmp_path)[0]))  # which states no encoder
    with pytest.raises(
        InputError, match=rf"D = {disk.D}, but those of the named encoder 'virchow' have D = 1280 or 2560"
    ):
        make_records(table, "", num_features=disk.D, num_classes=2, encoder="virchow")


def test_scanners_whose_tiles_differ_in_resolution_are_named(manifest, tmp_path, caplog):
    table = manifest.head(3).assign(mpp=[0.25, 0.25, 0.264])
    paths = [disk.trident(tmp_path / str(scan)) for scan in range(3)]  # each tile is 512 px of level 0 at 256 px
    table = table.assign(features_path=[str(path) for path in paths])
    make_records(table, "", num_features=disk.D, num_classes=2)
    assert "scanner 0 0.500, scanner 1 0.500, scanner 2 0.528 µm/px" in caplog.text
    caplog.clear()
    make_records(table.assign(mpp=0.25), "", num_features=disk.D, num_classes=2)
    assert "resolution" not in caplog.text


def test_bags_that_can_only_be_read_whole_are_not_held_together(manifest, tmp_path):
    paths, each = [], 4_000_000
    for scan in range(6):
        paths.append(tmp_path / f"{scan}.npz")
        np.savez(paths[-1], features=np.zeros((each // (2 * FEATURES), FEATURES), np.float16))
    table = manifest.head(6).assign(features_path=[str(path) for path in paths])
    tracemalloc.start()
    make_records(table, "", **SIZES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * each  # each has coordinates as well; all six take twice that


def test_a_label_outside_the_classes_is_named(manifest):
    table = manifest.copy()
    table.loc[3, "label"] = 5
    with pytest.raises(InputError, match=r"outside 0 to 1: p001_s0 \(5\)"):
        make_records(table, "", **SIZES)


def test_an_empty_split_is_refused(manifest):
    with pytest.raises(InputError, match="split 'val'"):
        make_records(manifest, "", "val", **SIZES)


def test_class_weights_make_every_class_weigh_the_same_over_the_labelled_scans():
    records = [{"label": label} for label in (0, 0, 0, 1, -1, -1)]
    weights = class_weights(records, 2)
    assert weights == pytest.approx([4 / 6, 4 / 2])
    assert 3 * weights[0] == pytest.approx(1 * weights[1])
    with pytest.raises(InputError, match="label 2"):
        class_weights(records, 3)


@pytest.mark.parametrize(("labels", "words"), [([-1], "no training scan has a label"), ([-1, 1], "have the label 1")])
def test_training_scans_of_fewer_than_two_classes_are_refused_and_other_splits_are_not(manifest, labels, words):
    table = manifest.assign(split="train", label=[labels[i % len(labels)] for i in range(len(manifest))])
    with pytest.raises(InputError, match=words):
        make_records(table, "", "train", **SIZES)
    assert len(make_records(table.assign(split="test"), "", "test", **SIZES)) == len(table)
