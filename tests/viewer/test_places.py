"""The places of a run's data are read from its settings, and nothing in them is run."""

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.viewer.places import read_places

SETTINGS = """
bundle_root: .
dataset_dir: $@bundle_root + '/data/phantom'
manifest_path: $@dataset_dir + '/manifest.csv'
encoder_name: efficientnet-lite0
features_dir: $@dataset_dir + '/features/' + @encoder_name
allow_outside: false
network_def: {_target_: x.y}
"""


def read(tmp_path, text):
    (tmp_path / "settings.yaml").write_text(text)
    return read_places(tmp_path / "settings.yaml")


def test_sums_of_texts_and_references_are_followed(tmp_path):
    assert read(tmp_path, SETTINGS) == {
        "manifest_path": "./data/phantom/manifest.csv",
        "features_dir": "./data/phantom/features/efficientnet-lite0",
        "allow_outside": False,
    }


def test_plain_paths_and_plain_references_are_taken(tmp_path):
    text = "manifest_path: '@here'\nhere: /a/b.csv\nfeatures_dir: /f\nallow_outside: true\n"
    assert read(tmp_path, text) == {"manifest_path": "/a/b.csv", "features_dir": "/f", "allow_outside": True}


@pytest.mark.parametrize(
    "value",
    [
        "$__import__('os').getcwd()",
        "$'a' * 3",
        "$@nothing + '/x'",
        "$@manifest_path + ''",
        "$(",
        "$open('/etc/passwd')",
    ],
)
def test_other_expressions_are_left_out_and_not_run(tmp_path, value):
    assert read(tmp_path, f'manifest_path: "{value}"\n') == {}


def test_no_settings_are_no_places_and_damaged_ones_are_refused(tmp_path):
    assert read_places(tmp_path / "none.yaml") == {}
    assert read(tmp_path, "[1, 2]") == {}
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path, "a: [1")
