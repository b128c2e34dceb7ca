"""Padded batches."""

import torch

from scangen_bundle.data import PrepareBagBatch, collate_bags


def items():
    generator = torch.Generator().manual_seed(0)
    return [
        {
            "image": torch.randn(length, 3, generator=generator),
            "coords": torch.arange(2 * length).reshape(length, 2),
            "label": length % 2,
            "specimen": 10 + length,
            "scanner": 1,
            "slide_id": f"s{length}",
        }
        for length in (2, 5, 1)
    ]


def test_bags_are_padded_to_the_longest_and_the_mask_tells():
    batch = collate_bags(items())
    assert batch["image"].shape == (3, 5, 3)
    assert batch["mask"].sum(dim=1).tolist() == [2, 5, 1]
    for row, item in enumerate(items()):
        torch.testing.assert_close(batch["image"][row][batch["mask"][row]], item["image"])
        assert (batch["coords"][row][batch["mask"][row]] == item["coords"]).all()
    assert (batch["image"][~batch["mask"]] == 0).all()
    assert (batch["coords"][~batch["mask"]] == -1).all()


def test_half_precision_becomes_float32_as_the_batch_is_filled():
    half = [{**item, "image": item["image"].half()} for item in items()]
    batch = collate_bags(half)
    assert batch["image"].dtype == torch.float32
    for row, item in enumerate(half):
        assert torch.equal(batch["image"][row][batch["mask"][row]], item["image"].float())


def test_a_batch_that_is_kept_is_not_overwritten_by_the_next_ones():
    kept = collate_bags(items())
    before = kept["image"].clone()
    for _ in range(5):
        collate_bags([{**item, "image": item["image"] + 1} for item in items()])
    assert torch.equal(kept["image"], before)


def test_numbers_are_int64_and_names_stay_a_list():
    batch = collate_bags(items())
    assert batch["specimen"].tolist() == [12, 15, 11]
    assert all(batch[name].dtype == torch.int64 for name in ("label", "specimen", "scanner", "coords"))
    assert batch["slide_id"] == ["s2", "s5", "s1"]


def test_the_engine_gets_image_and_label_and_the_network_the_mask():
    batch = collate_bags(items())
    image, label, args, options = PrepareBagBatch()(batch, device="cpu", non_blocking=False)
    assert (image == batch["image"]).all()
    assert (label == batch["label"]).all()
    assert args == ()
    assert (options["mask"] == batch["mask"]).all()
