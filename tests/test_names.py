"""Names from outside become file names only where they stay in their folder."""

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.names import LONGEST, check_name, unsafe_name


@pytest.mark.parametrize("name", ["a", "TCGA-05-4244-01Z", "x.y_z", "größer µ", "x" * LONGEST, "-dash", "con"])
def test_a_plain_name_is_kept(tmp_path, name):
    assert unsafe_name(name) == ""
    assert check_name("option", name) == name
    (tmp_path / f"{name}.h5").touch()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "empty"),
        (".", "dot"),
        ("..", "dot"),
        ("../x", "slash"),
        ("/etc/passwd", "slash"),
        ("a\\b", "slash"),
        (".hidden", "dot"),
        ("a\nb", "does not print"),
        ("a\0b", "does not print"),
        ("a\udcffb", "does not print"),
        ("µ" * LONGEST, "too long"),
    ],
)
def test_a_name_that_leaves_its_folder_or_cannot_be_a_file_is_refused(name, problem):
    assert problem in unsafe_name(name)
    with pytest.raises(InputError, match=problem):
        check_name("option --run_name", name)
