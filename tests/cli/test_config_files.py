"""Config files that are named on the command line: found, or refused with their name."""

from __future__ import annotations

import pytest

from scangen_bundle.cli.config_files import overlay_file
from scangen_bundle.errors import InputError

WRONG = {
    "a bracket that never closes": (b"a: [1, 2\n", "is no YAML: .*line 1"),
    "a list": (b"- 1\n- 2\n", "holds a list, expected names"),
    "numbers for names": (b"1: 2\n", "holds a dict, expected names"),
    "empty": (b"", "holds a NoneType"),
    "UTF-16": ("a: 1".encode("utf-16"), "is no"),
    "2,000 brackets": (b"a: " + 2000 * b"[" + 2000 * b"]", "is nested too deeply"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_holds_no_settings_is_refused_by_its_name(tmp_path, name):
    content, words = WRONG[name]
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"mine.yaml: {words}"):
        overlay_file("methods", str(path))


def test_ones_own_file_and_the_shipped_ones_are_found(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("max_epochs: 3\n")
    assert overlay_file("methods", str(path)) == path.resolve()
    assert overlay_file("tissue", "smear").is_file()
