"""Users enter encoders of their own without touching ours."""

from dataclasses import replace

import numpy as np
import pytest
from monai.bundle import ConfigParser

from scangen_bundle.encoders import ENCODERS, create_encoder, register

OWN_FILE = """
import numpy as np
from scangen_bundle.encoders import Encoder, EncoderSpec, register

SPEC = EncoderSpec(
    name="{name}", family="our lab", domain="control", library="own", revision="1", poolings={{"own": 3}}, pooling="own",
    tile_px=224, mpp=0.5, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), precision="float32", licence="ours", gated=False,
)

@register(SPEC)
class MeanColour(Encoder):
    def _encode(self, tiles):
        return tiles.mean((1, 2)).astype(np.float32)
"""


@pytest.fixture
def registry(monkeypatch):
    """The registry, restored afterwards."""
    before = dict(ENCODERS)
    yield ENCODERS
    ENCODERS.clear()
    ENCODERS.update(before)


@pytest.fixture
def own_module(registry, tmp_path, monkeypatch):
    (tmp_path / "our_lab_encoders.py").write_text(OWN_FILE.format(name="mean-colour"))
    monkeypatch.syspath_prepend(tmp_path)
    return "our_lab_encoders"


def test_a_config_imports_an_encoder_and_names_it(own_module):
    config = ConfigParser(
        {
            "imports": [f"$import {own_module}"],
            "encoder_name": "mean-colour",
            "encoder": {"_target_": "scangen_bundle.encoders.create_encoder", "name": "@encoder_name", "tile_px": 8},
        }
    )
    encoder = config.get_parsed_content("encoder")
    tiles = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    np.testing.assert_allclose(encoder.encode(tiles), tiles.reshape(2, 64, 3).mean(1), rtol=1e-6)
    assert encoder.key == "mean-colour@1_own_8px_0.5mpp"


def test_a_config_names_the_class_itself(own_module):
    config = ConfigParser(
        {
            "imports": [f"$import {own_module}"],
            "encoder": {"_target_": f"{own_module}.MeanColour", "spec": f"${own_module}.SPEC", "mpp": 1},
        }
    )
    assert config.get_parsed_content("encoder").mpp == 1.0


def test_a_name_cannot_be_taken_twice(registry):
    entry = registry["colour-statistics"]
    with pytest.raises(ValueError, match="registered already"):
        register(replace(entry.spec, mpp=1.0))(entry.make)
    register(entry.spec)(entry.make)  # importing a module again is no mistake


def test_errors_inside_a_maker_are_not_taken_for_wrong_options(registry):
    def broken(spec, **options):
        return None + 1

    register(replace(registry["colour-statistics"].spec, name="broken"))(broken)
    with pytest.raises(TypeError, match="unsupported operand"):
        create_encoder("broken")
