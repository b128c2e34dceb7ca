"""Encoders are found by themselves; users register their own; commands need an encoder's name only."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from monai.bundle import ConfigParser

from scangen_bundle.encoders import ENCODERS, Encoder, EncoderSpec, create_encoder, num_features, register
from scangen_bundle.errors import InputError, find_input_error
from tests.conftest import ROOT


@pytest.fixture
def registry(monkeypatch):
    """The registry, restored afterwards."""
    monkeypatch.setattr(ENCODERS, "_entries", {name: ENCODERS[name] for name in ENCODERS})
    return ENCODERS


def colours(name="mean-colour"):
    """A user's encoder: the least that has to be said of one."""
    spec = EncoderSpec(name=name, poolings={"own": 3}, domain="control", licence="ours")

    @register(spec)
    class MeanColour(Encoder):
        def _encode(self, tiles):
            return tiles.mean((1, 2)).astype(np.float32)

    return spec


def test_a_users_encoder_is_made_by_its_name(registry):
    colours()
    encoder = create_encoder("mean-colour", tile_px=8, mpp=1)
    tiles = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    np.testing.assert_allclose(encoder.encode(tiles), tiles.reshape(2, 64, 3).mean(1), rtol=1e-6)
    assert encoder.key == "mean-colour@1_own_8px_1mpp"


def test_a_name_cannot_be_taken_twice(registry):
    with pytest.raises(InputError, match="registered already"):
        colours("colour-statistics")


def test_an_option_that_an_encoder_does_not_take_is_named():
    with pytest.raises(InputError, match=r"does not take this option.*weights"):
        create_encoder("colour-statistics", weights="file")


def test_errors_inside_a_maker_are_not_taken_for_wrong_options(registry):
    def broken(spec, **options):
        return None + 1

    register(replace(registry["colour-statistics"].spec, name="broken"))(broken)
    with pytest.raises(TypeError, match="NoneType"):
        create_encoder("broken")


def test_an_unknown_name_lists_the_near_ones():
    with pytest.raises(InputError, match=r"encoder 'unii'.*did you mean uni"):
        create_encoder("unii")


def test_looking_at_the_registry_imports_no_deep_learning_library():
    code = "import sys; from scangen_bundle.encoders import ENCODERS; len(ENCODERS); print('torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"


def test_the_number_of_features_follows_the_pooling():
    assert num_features("virchow") == 2560
    assert num_features("virchow", "cls") == 1280
    with pytest.raises(InputError, match="no pooling 'gap'"):
        num_features("virchow", "gap")


def test_features_of_an_encoder_that_is_not_registered_need_their_number():
    with pytest.raises(InputError, match=r"'musk'.*give --num_features"):
        num_features("musk")


@pytest.mark.parametrize(("settings", "dim"), [({"encoder_name": "uni2-h"}, 1536), ({"num_features": 2048}, 2048)])
def test_training_asks_the_registry_for_the_number_of_features_unless_it_is_given(settings, dim):
    parser = ConfigParser()
    parser.read_config(str(ROOT / "configs" / "train.yaml"))
    parser.update(settings)
    assert parser.get_parsed_content("num_features") == dim


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_a_name_is_all_that_extraction_needs(name, hub_cache):
    parser = ConfigParser()
    parser.read_config(str(ROOT / "configs" / "extract_features.yaml"))
    parser["encoder_name"] = name
    spec = ENCODERS[name].spec
    if spec.built_in:
        assert parser.get_parsed_content("encoder")().dim == num_features(name)
        return
    with pytest.raises(Exception) as caught:  # noqa: PT011 (the parser wraps it)
        parser.get_parsed_content("encoder")()
    message = str(find_input_error(caught.value))
    assert f"encoder {name!r}" in message
    assert "no weights" in message or "in the Hugging Face cache" in message
    assert spec.hub_id in message or "package conch" in message
