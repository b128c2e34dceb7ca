"""Each overlay in configs/encoders names a registered encoder, and the registry has an overlay for each."""

from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from scangen_bundle.encoders import ENCODERS, Encoder, create_encoder
from scangen_bundle.errors import InputError, find_input_error

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "encoders"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read(name: str) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(str(FOLDER / f"{name}.yaml"))
    return parser


def test_there_is_one_overlay_for_each_encoder():
    assert set(NAMES) == set(ENCODERS)


@pytest.mark.parametrize("name", NAMES)
def test_the_overlay_is_a_call_that_the_registry_understands(name, hub_cache):
    parser = read(name)
    component = parser.get_parsed_content("encoder", instantiate=False)
    assert component.resolve_module_name() == "scangen_bundle.encoders.create_encoder"
    arguments = component.resolve_args()
    spec = ENCODERS[name].spec
    assert arguments.pop("name") == parser["encoder_name"] == name
    assert parser["num_features"] == spec.poolings[arguments.get("pooling", spec.pooling)]
    assert ("trust_remote_code" in arguments) == spec.trust_remote_code
    if spec.built_in:
        encoder = read(name).get_parsed_content("encoder")
        assert isinstance(encoder, Encoder)
        assert encoder.dim == parser["num_features"]
    else:
        # Every option is one that the maker takes: it gets as far as the missing weights.
        with pytest.raises(InputError, match=r"no .*weights|no .*in the Hugging Face cache"):
            create_encoder(name, **arguments)


@pytest.mark.parametrize("name", NAMES)
def test_the_overlay_tells_the_licence_and_the_gate(name):
    text, spec = (FOLDER / f"{name}.yaml").read_text(), ENCODERS[name].spec
    assert spec.licence in text
    assert not spec.gated or spec.url in text
    assert spec.note in text


def test_through_a_config_what_is_missing_is_still_told_in_one_message(hub_cache):
    with pytest.raises(Exception) as caught:  # noqa: PT011 (the parser wraps it)
        read("virchow").get_parsed_content("encoder")
    assert "hf download paige-ai/Virchow" in str(find_input_error(caught.value))


def test_an_overlay_changes_what_the_jobs_read():
    jobs = FOLDER.parent
    extract = ConfigParser.load_config_files([jobs / "extract_features.yaml", FOLDER / "virchow.yaml"])
    assert extract["encoder"]["pooling"] == "cls+mean"
    assert extract["encoder_name"] == "virchow"
    assert extract["job"]["encoder"] == "@encoder"
    before = ConfigParser.load_config_files([jobs / "train.yaml"])
    after = ConfigParser.load_config_files([jobs / "train.yaml", FOLDER / "virchow.yaml"])
    assert (before["num_features"], after["num_features"]) == (1280, 2560)
    assert "@encoder_name" in after["features_dir"]
