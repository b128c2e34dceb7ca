"""The bank job: tiles of the bags under virtual scanners, encoded; resumed; failures told."""

import logging
import shutil

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.bags import open_bag, write_bag
from scangen_bundle.bags.virtual import read_bank
from scangen_bundle.encoders import create_encoder
from scangen_bundle.errors import InputError
from scangen_bundle.extraction import BankJob
from scangen_bundle.slides import TileReader, open_slide
from scangen_bundle.slides.virtual_scanner import draw_scanners
from scangen_bundle.testing import draw_tissue, make_attributes, make_slide

NAME = "colour-statistics"


@pytest.fixture
def cohort(tmp_path):
    """Two slides with bags of the colour statistics at 0.5 µm/px."""
    encoder = create_encoder(NAME)
    rows = []
    for index in range(2):
        slide_id = f"s{index}"
        path = make_slide(tmp_path / f"{slide_id}.tif", draw_tissue(1300, 1000, seed=index))
        corners = np.array([[x, y] for y in (0, 300) for x in (0, 250, 500, 750)], dtype=np.int64)
        with open_slide(str(path)) as slide:
            tiles = TileReader(slide, encoder.mpp, encoder.tile_px).read(corners)
        write(tmp_path / "bags" / f"{slide_id}.h5", encoder.encode(tiles), corners, slide_id, encoder)
        rows.append({"slide_id": slide_id, "slide_path": str(path), "mpp": np.nan})
    return tmp_path, pd.DataFrame(rows), encoder


def write(path, features, corners, slide_id, encoder):
    path.parent.mkdir(exist_ok=True)
    attributes = make_attributes(
        slide_id=slide_id,
        encoder=encoder.name,
        dim=encoder.dim,
        tile_px=encoder.tile_px,
        mpp=encoder.mpp,
        source_mpp_x=0.5,
        source_mpp_y=0.5,
    )
    write_bag(path, features, corners, attributes)


def test_each_slide_gets_its_tiles_as_they_are_and_under_every_scanner(cohort):
    folder, manifest, encoder = cohort
    BankJob(manifest, str(folder / "bags"), encoder, scanners=3, tiles_per_scan=2).run()
    for slide_id in manifest["slide_id"]:
        plain, virtual = read_bank(folder / "bags" / "virtual" / f"{slide_id}.npz")
        bag = open_bag(folder / "bags" / f"{slide_id}.h5")
        assert plain.shape == (2, encoder.dim)
        assert virtual.shape == (3, 2, encoder.dim)
        np.testing.assert_allclose(plain, bag.rows(np.array([2, 4])), rtol=2e-3, atol=2e-3)


def test_under_a_scanner_a_tile_is_encoded_as_the_scanner_gives_it(cohort):
    folder, manifest, encoder = cohort
    job = BankJob(manifest, str(folder / "bags"), encoder, scanners=2, tiles_per_scan=1)
    quiet = [type(scanner)(**{**vars(scanner), "noise": 0.0}) for scanner in draw_scanners(2, 0)]
    job.scanners = quiet
    job.run()
    bag = open_bag(folder / "bags" / "s0.h5")
    with open_slide(manifest["slide_path"][0]) as slide:
        tile = TileReader(slide, encoder.mpp, encoder.tile_px).read(bag.coords[[3]])
    _, virtual = read_bank(folder / "bags" / "virtual" / "s0.npz")
    for index, scanner in enumerate(quiet):
        expected = encoder.encode(scanner.apply(tile, np.random.default_rng(0)))
        np.testing.assert_allclose(virtual[index], expected, rtol=2e-3, atol=2e-3)


def test_what_is_finished_is_kept_and_other_settings_make_it_anew(cohort):
    folder, manifest, encoder = cohort
    path = folder / "bags" / "virtual" / "s0.npz"
    BankJob(manifest, str(folder / "bags"), encoder, scanners=2).run()
    first = path.stat().st_mtime_ns
    BankJob(manifest, str(folder / "bags"), encoder, scanners=2).run()
    assert path.stat().st_mtime_ns == first
    BankJob(manifest, str(folder / "bags"), encoder, scanners=3).run()
    assert len(read_bank(path)[1]) == 3


def test_a_slide_that_was_replaced_is_encoded_again_and_a_copied_one_is_not(cohort):
    folder, manifest, encoder = cohort
    path = folder / "bags" / "virtual" / "s0.npz"
    job = BankJob(manifest, str(folder / "bags"), encoder, scanners=2)
    job.run()
    first, made = path.stat().st_mtime_ns, read_bank(path)[0]
    shutil.copy(folder / "s0.tif", folder / "copy.tif")
    (folder / "copy.tif").replace(folder / "s0.tif")
    job.run()
    assert path.stat().st_mtime_ns == first
    make_slide(folder / "s0.tif", draw_tissue(1300, 1000, seed=9))
    job.run()
    assert not np.array_equal(read_bank(path)[0], made)


def test_a_slide_that_cannot_be_read_does_not_stop_the_others(cohort, caplog):
    folder, manifest, encoder = cohort
    (folder / "s0.tif").write_bytes(b"no slide")
    with caplog.at_level(logging.WARNING):
        BankJob(manifest, str(folder / "bags"), encoder, scanners=2).run()
    assert "s0 is left out" in caplog.text
    assert (folder / "bags" / "virtual" / "s1.npz").is_file()


def test_without_slides_or_with_another_encoder_it_is_refused(cohort):
    folder, manifest, encoder = cohort
    with pytest.raises(InputError, match="no scan has a slide_path"):
        BankJob(manifest.assign(slide_path=""), str(folder / "bags"), encoder).run()
    other = type("Other", (), {"name": "other", "dim": encoder.dim})()
    with pytest.raises(InputError, match="none of 2 slides could be encoded"):
        BankJob(manifest, str(folder / "bags"), other).run()
