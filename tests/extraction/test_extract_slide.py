"""One slide becomes one bag, in this process."""

import pickle

import numpy as np
import pytest

from scangen_bundle.bags import open_bag
from scangen_bundle.errors import InputError
from scangen_bundle.extraction import ExtractionRequest, SlideTask, TilingSettings, extract_slide
from scangen_bundle.slides.tiff_metadata import PICTURES
from tests.extraction.fakes import TILE_PX, FakeEncoder, FakeSlide, NanEncoder, make_manifest, make_slide
from tests.extraction.test_job import job_of


def request(encoder=None):
    encoder = encoder or FakeEncoder()
    return ExtractionRequest(encoder, TilingSettings(reader=FakeSlide).for_encoder(TILE_PX, 0.5), "float16")


def test_a_slide_alone_gives_the_bytes_that_the_job_makes(tmp_path):
    manifest = make_manifest(tmp_path / "slides", {"a": {}})
    job_of(manifest, tmp_path / "bags").run()
    task = SlideTask("a", manifest.slide_path[0], bag=str(tmp_path / "a.h5"), picture=str(tmp_path / "a.jpg"))
    result = extract_slide(pickle.loads(pickle.dumps(task)), request())
    assert result == pickle.loads(pickle.dumps(result))
    assert (result.slide_id, result.tiles, result.reader) == ("a", 64, "fake")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "bags" / "a.h5").read_bytes()
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "bags" / "tissue" / "a.jpg").read_bytes()


def test_tiles_around_given_centres_come_in_their_order(tmp_path):
    path = make_slide(tmp_path / "a.fake")
    centres = np.array([[144.0, 16.0], [16.0, 16.0], [80.0, 80.0]])  # µm; a tile is 32 µm
    task = SlideTask("a", str(path), centres_um=centres, bag=str(tmp_path / "a.h5"))
    assert extract_slide(task, request()).tiles == 3
    bag = open_bag(tmp_path / "a.h5")
    assert bag.coords.tolist() == [[256, 0], [0, 0], [128, 128]]
    assert bag.rows()[:, 2].tolist() == [104, 100, 102]
    assert np.isnan(bag.attributes["tissue_mm2"])


@pytest.mark.parametrize("facts", [{"bug": True}, {"broken": True}, {"tissue": 0}, {"mpp": None}])
def test_a_slide_that_cannot_be_read_leaves_no_bag(tmp_path, facts):
    path = make_slide(tmp_path / "a.fake", **facts)
    with pytest.raises(InputError, match=r"a\.fake"):
        extract_slide(SlideTask("a", str(path), bag=str(tmp_path / "a.h5")), request())
    assert [file.name for file in tmp_path.iterdir()] == ["a.fake"]


def test_vectors_that_are_not_finite_leave_no_bag(tmp_path):
    path = make_slide(tmp_path / "a.fake")
    with pytest.raises(InputError, match="NaN"):
        extract_slide(SlideTask("a", str(path), bag=str(tmp_path / "a.h5")), request(NanEncoder()))
    assert [file.name for file in tmp_path.iterdir()] == ["a.fake"]


def test_glass_of_a_strange_colour_and_one_of_several_pictures_are_said(tmp_path, caplog):
    properties = {PICTURES: "the file holds 2 pictures; the largest was taken, 1024 x 1024 px"}
    path = make_slide(tmp_path / "a.fake", glass=(235, 128, 128), properties=properties)  # white in raw YCbCr
    extract_slide(SlideTask("a", str(path), bag=str(tmp_path / "a.h5"), picture=str(tmp_path / "a.jpg")), request())
    assert "a: the file holds 2 pictures; the largest was taken" in caplog.text
    assert "a: its bare glass has the colour (235, 128, 128), far from grey" in caplog.text
    assert f"look at {tmp_path / 'a.jpg'}" in caplog.text
    caplog.clear()
    extract_slide(SlideTask("b", str(make_slide(tmp_path / "b.fake")), bag=str(tmp_path / "b.h5")), request())
    assert not caplog.records


def test_a_grey_picture_is_called_grey(tmp_path):
    path = make_slide(tmp_path / "a.fake", grey=True)
    with pytest.raises(InputError, match="no tissue: the picture is grey"):
        extract_slide(SlideTask("a", str(path), bag=str(tmp_path / "a.h5")), request())
