"""The public fixtures make what the package reads, and the same each time."""

import numpy as np
import pytest

from scangen_bundle.bags import open_bag
from scangen_bundle.cohort import check_files, load_manifest
from scangen_bundle.slides import open_slide
from scangen_bundle.testing import FakeReader, draw_tissue, make_bag, make_manifest, make_slide, pyramid, shrink


def test_a_manifest_is_valid_and_has_its_bags(tmp_path):
    manifest = load_manifest(make_manifest(tmp_path, specimens=4, scanners=2), classes=2, min_scanners=2)
    check_files(manifest, "features_path")
    assert manifest.groupby("specimen_id")["scanner"].nunique().tolist() == [2] * 4
    lengths = [len(open_bag(path)) for path in manifest.features_path]
    assert set(lengths) <= {21, 22, 23, 24}
    assert len(set(lengths)) > 1


def test_a_seed_decides_every_vector(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_manifest(tmp_path / name, specimens=1, scanners=1, seed=seed)
    first, again, other = (open_bag(tmp_path / name / "features" / "p000_s0.h5").features[:] for name in "abc")
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_bag_says_what_it_was_told(tmp_path):
    path = make_bag(tmp_path / "x.h5", np.ones((3, 7)), encoder="mine", mpp=1.0, dtype="float16")
    bag = open_bag(path)
    assert (len(bag), bag.features.shape[1], bag.features.dtype) == (3, 7, np.float16)
    assert (bag.attributes["slide_id"], bag.attributes["encoder"], bag.effective_mpp) == ("x", "mine", (1.0, 1.0))


@pytest.mark.parametrize(("coding", "loss"), [("ycbcr", 5), ("rgb", 5), ("jpeg2000", 0), ("lzw-2", 0), ("none", 0)])
def test_a_slide_is_read_as_what_was_drawn(tmp_path, coding, loss):
    image = draw_tissue(600, 500)
    with open_slide(make_slide(tmp_path / "a.tif", image, mpp=0.25, levels=2, coding=coding)) as slide:
        assert slide.mpp == pytest.approx((0.25, 0.25))
        assert slide.level_dimensions == [(600, 500), (300, 250)]
        for level, expected in enumerate(pyramid(image, 2)):
            read = slide.read_region(0, 0, level, *slide.level_dimensions[level])
            assert np.abs(read.astype(int) - expected).mean() <= loss


def test_a_fake_reader_reads_its_levels_and_white_outside():
    image = draw_tissue(40, 20)
    reader = FakeReader(image, downsamples=(1, 2))
    np.testing.assert_array_equal(reader.read_region(4, 2, 1, 8, 4), shrink(image, 2)[1:5, 2:10])
    region = reader.read_region(-1, 0, 0, 2, 1)
    assert region.tolist() == [[[255, 255, 255], image[0, 0].tolist()]]
