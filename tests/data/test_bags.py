"""What the bag dataset draws and reads."""

import os
from functools import partial
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from scangen_bundle.bags import open_bag
from scangen_bundle.data import BagDataset, FeatureNoise, collate_bags, make_records
from scangen_bundle.data.bags import surely_finite
from scangen_bundle.errors import InputError
from scangen_bundle.methods import Method
from tests.bags import layouts_on_disk as disk

from .cohort import FEATURES, write_cohort_bag


@pytest.fixture
def records(manifest):
    return make_records(manifest, "", num_features=FEATURES, num_classes=2)


def test_evaluation_gives_every_tile_in_the_bags_order(records):
    data = BagDataset(records)
    for record, item in zip(records, data, strict=True):
        bag = open_bag(record["features_path"])
        assert item["image"].dtype == torch.float32
        np.testing.assert_array_equal(item["image"], bag.features)
        np.testing.assert_array_equal(item["coords"], bag.coords)
        assert {name: item[name] for name in ("label", "specimen", "scanner", "slide_id")} == {
            name: record[name] for name in ("label", "specimen", "scanner", "slide_id")
        }


def test_training_draws_that_many_different_tiles_with_their_own_coordinates(records):
    bag = open_bag(records[0]["features_path"])
    item = BagDataset(records, num_instances=5)[0]
    rows = [np.flatnonzero((bag.coords == coords).all(axis=1))[0] for coords in item["coords"].numpy()]
    assert len(set(rows)) == 5
    assert rows == sorted(rows)
    np.testing.assert_array_equal(item["image"], np.asarray(bag.features)[rows])


def test_a_bag_with_fewer_tiles_than_asked_is_given_whole(records):
    assert len(BagDataset(records, num_instances=1000)[0]["image"]) == records[0]["num_tiles"]


def drawn(records, seed, epoch, index):
    data = BagDataset(records, num_instances=5, seed=seed)
    data.set_epoch(epoch)
    return data[index]["coords"].tolist()


def test_the_draw_depends_on_seed_epoch_and_specimen_alone(records):
    first = drawn(records, 0, 1, 0)
    assert first == drawn(records, 0, 1, 0)
    assert first != drawn(records, 1, 1, 0)
    assert first != drawn(records, 0, 2, 0)
    assert first != drawn(records, 0, 1, 12)  # another specimen, a bag of the same length
    assert records[0]["num_tiles"] == records[12]["num_tiles"]
    assert drawn(records[::-1], 0, 1, len(records) - 1) == first  # another order


def test_workers_that_live_over_epochs_draw_anew_each_epoch(records):
    data = BagDataset(records[:2], num_instances=5)
    loader = DataLoader(data, batch_size=2, num_workers=1, persistent_workers=True, collate_fn=collate_bags)
    for epoch in (1, 2):
        data.set_epoch(epoch)
        (batch,) = loader
        assert batch["coords"][0].tolist() == drawn(records, 0, epoch, 0)


def test_a_data_set_that_is_sent_to_a_fresh_worker_draws_anew_there_too(records):
    data = BagDataset(records[:1], num_instances=5)
    strategy = torch.multiprocessing.get_sharing_strategy()
    torch.multiprocessing.set_sharing_strategy("file_system")  # the other one passes files between processes only
    try:
        sent = ForkingPickler.loads(ForkingPickler.dumps(data))
    finally:
        torch.multiprocessing.set_sharing_strategy(strategy)
    for epoch in (1, 2):
        data.set_epoch(epoch)
        assert sent[0]["coords"].tolist() == drawn(records, 0, epoch, 0)


def test_a_data_set_without_fresh_workers_needs_no_shared_memory_of_the_system(records, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "share_memory_", None)
    assert len(BagDataset(records[:1])[0]["image"])


def test_every_tile_is_drawn_in_time(records):
    data = BagDataset(records, num_instances=5)
    seen = set()
    for epoch in range(60):
        data.set_epoch(epoch)
        seen |= {tuple(coords) for coords in data[0]["coords"].tolist()}
    assert len(seen) == records[0]["num_tiles"]


def test_bags_of_half_precision_and_files_of_other_tools_read_the_same(tmp_path):
    import h5py

    features = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float16)
    coords = np.arange(60).reshape(30, 2)
    with h5py.File(tmp_path / "clam.h5", "w") as file:  # chunked and compressed, so it cannot be mapped
        file.create_dataset("features", data=features, chunks=(8, 4), compression="gzip")
        file.create_dataset("coords", data=coords)
    record = {"features_path": str(tmp_path / "clam.h5"), "label": 0, "specimen": 0, "scanner": 0, "slide_id": "a"}
    item = BagDataset([record], num_instances=7)[0]
    rows = item["coords"][:, 0].numpy() // 2
    np.testing.assert_array_equal(item["image"], features[rows].astype(np.float32))


LAYOUTS = {
    "trident": disk.trident,
    "CLAM h5": lambda folder: disk.clam(folder)[0],
    "CLAM pt": lambda folder: disk.clam(folder)[1],
    **{f"STAMP {name}": partial(disk.stamp, generation=name) for name in ("current", "2.0", "historic", "kronos")},
    "slide2vec pt": disk.slide2vec,
    "slide2vec npz": partial(disk.slide2vec, suffix=".npz"),
    "slideflow": disk.slideflow,
    "plism folder": lambda folder: disk.plism(folder).parent,
    "plism file": disk.plism,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_of_every_tool_give_their_rows_to_training_and_evaluation_again_and_again(tmp_path, layout):
    path = LAYOUTS[layout](tmp_path)
    bag, whole, few = open_bag(path), BagDataset(record_of(path)), BagDataset(record_of(path), num_instances=5)
    for epoch in (1, 2):
        np.testing.assert_array_equal(whole[0]["image"], np.asarray(bag.features))
        few.set_epoch(epoch)
        rows, item = few.draw(len(bag), 0), few[0]
        np.testing.assert_array_equal(item["image"], np.asarray(bag.features)[rows])
        np.testing.assert_array_equal(item["coords"], bag.coords[rows])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_every_number_that_is_not_finite_is_seen(dtype, bad):
    values = np.array([[-65504.0, 65504.0, -0.0, 6e-8], [1.0, -1.0, 0.0, 2.0]], dtype)
    assert surely_finite(torch.from_numpy(values))
    values[1, 3] = bad
    assert not surely_finite(torch.from_numpy(values))


def test_a_transform_gets_float32_whatever_the_file_holds(tmp_path):
    path = tmp_path / "a.h5"
    write_cohort_bag(path, "a", np.ones((4, 3)), dtype="float16")
    seen = []
    item = BagDataset(record_of(path), transform=lambda item: seen.append(item["image"].dtype) or item)[0]
    assert seen == [torch.float32] == [item["image"].dtype]


def record_of(path):
    return [{"features_path": str(path), "label": 0, "specimen": 0, "scanner": 0, "slide_id": "a"}]


def test_a_bag_that_disappears_or_is_replaced_half_way_is_noticed(tmp_path):
    path = tmp_path / "a.h5"
    write_cohort_bag(path, "a", np.zeros((4, 3)))
    data = BagDataset(record_of(path))
    assert len(data[0]["image"]) == 4
    write_cohort_bag(path, "a", np.ones((6, 3)))
    assert data[0]["image"].sum() == 18
    path.unlink()
    with pytest.raises(InputError, match=r"a\.h5"):
        data[0]
    path.write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        data[0]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not tell which files are open")
def test_a_dataset_keeps_one_map_of_each_bag_and_no_file_open(records):
    data = BagDataset(records, num_instances=5)
    before = os.listdir("/proc/self/fd")
    for epoch in (1, 2):
        data.set_epoch(epoch)
        assert len([data[index] for index in range(len(data))]) == len(records)
    assert len(os.listdir("/proc/self/fd")) == len(before)
    with open("/proc/self/maps") as file:
        mapped = [line.split(maxsplit=5)[5].strip() for line in file if ".h5" in line]
    names = [os.path.realpath(record["features_path"]) for record in records]
    assert sorted(name for name in mapped if name in names) == sorted(names)


def test_a_vector_that_is_not_a_number_is_refused_with_its_row(tmp_path):
    path = tmp_path / "a.h5"
    write_cohort_bag(path, "a", np.zeros((4, 3)))
    stamp = path.stat()
    bag = open_bag(path)
    np.memmap(path, np.float32, "r+", bag.features.offset, (4, 3))[2, 1] = np.nan
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(InputError, match=r"1 of 4 .* row 2"):
        BagDataset(record_of(path))[0]


class Jitter(Method):
    """Adds a random vector to a bag, another one for each view."""

    name = "jitter"

    def __init__(self, views=1):
        super().__init__()
        self.views = views

    def augment(self, item, generator):
        return {**item, "image": item["image"] + torch.randn(item["image"].shape[1], generator=generator)}


def test_an_augmentation_depends_on_seed_epoch_index_and_view_alone(records):
    def images(order, seed=0, epoch=1, views=2):
        data = BagDataset(records, 5, seed, method=Jitter(views))
        data.set_epoch(epoch)
        return {index: [view["image"] for view in data[index]] for index in order}

    first = images([0, 1, 2])
    again = images([2, 0, 1])
    for index in range(3):
        for one, other in zip(first[index], again[index], strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(first[0][0], first[0][1])
    assert not torch.equal(first[0][0], images([0], seed=1)[0][0])
    plain = BagDataset(records, 5)
    for epoch in (1, 2):
        plain.set_epoch(epoch)
        added = images([0, 1], epoch=epoch)
        for index in (0, 1):
            shift = added[index][0] - plain[index]["image"]
            torch.testing.assert_close(shift, shift[:1].expand_as(shift), atol=1e-5, rtol=0)
            assert not torch.allclose(shift[0], (first[1 - index][0] - BagDataset(records, 5)[1 - index]["image"])[0])
    alone = BagDataset(records, 5, method=Jitter())
    alone.set_epoch(1)
    assert torch.equal(alone[0]["image"], first[0][0])  # the first view is that of a single one


def test_workers_augment_as_one_process_does(records):
    data = BagDataset(records[:4], 5, method=Jitter(2))
    expected = [view["image"] for index in range(4) for view in data[index]]
    loader = DataLoader(data, batch_size=1, num_workers=2, collate_fn=collate_bags)
    found = [image for batch in loader for image in batch["image"]]
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_the_views_of_a_bag_are_rows_of_the_batch_of_the_same_tiles(records):
    batch = collate_bags([BagDataset(records, 5, method=Jitter(3))[index] for index in (0, 1)])
    assert batch["view"].tolist() == [0, 1, 2, 0, 1, 2]
    assert batch["slide_id"] == [records[index]["slide_id"] for index in (0, 0, 0, 1, 1, 1)]
    assert batch["specimen"].tolist() == [records[index]["specimen"] for index in (0, 0, 0, 1, 1, 1)]
    assert batch["scanner_key"].tolist() == [records[index]["scanner_key"] for index in (0, 0, 0, 1, 1, 1)]
    assert torch.equal(batch["coords"][0], batch["coords"][2])
    difference = batch["image"][0] - batch["image"][2]
    torch.testing.assert_close(difference, difference[:1].expand_as(difference), atol=1e-5, rtol=0)


def test_a_method_without_augmentation_leaves_items_as_they_are(records):
    plain, item = BagDataset(records, 5)[0], BagDataset(records, 5, method=Method())[0]
    assert plain.keys() == item.keys()
    assert torch.equal(plain["image"], item["image"])


def test_noise_is_relative_to_each_features_spread(records):
    noisy = BagDataset(records, transform=FeatureNoise(scale=0.0))
    np.testing.assert_array_equal(noisy[0]["image"], BagDataset(records)[0]["image"])
    torch.manual_seed(0)
    image = torch.randn(20_000, 2) * torch.tensor([1.0, 10.0]) + 5
    item = {"image": image, "label": 1}
    noise = FeatureNoise(scale=0.5)(item)["image"] - image
    torch.testing.assert_close(noise.std(dim=0), torch.tensor([0.5, 5.0]), rtol=0.03, atol=0)
    assert item["image"] is image  # the item that went in is as it was


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="num_instances"):
        BagDataset([], num_instances=0)
    with pytest.raises(ValueError, match="scale"):
        FeatureNoise(-1)
