"""A user's own python files, named by `--plugins`."""

import sys

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.plugins import load_plugins


def test_a_plugin_is_imported_once_and_its_classes_can_be_pickled(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "loaded", [], raising=False)
    lines = ["import sys, pickle", "class Mine: ...", "assert type(pickle.loads(pickle.dumps(Mine()))) is Mine"]
    text = "\n".join([*lines, "sys.loaded.append(__file__)"])
    (tmp_path / "mine.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    load_plugins(["mine.py"])
    load_plugins(str(tmp_path / "mine.py"))
    assert sys.loaded == [str(tmp_path / "mine.py")]


def test_two_plugins_of_one_name_are_two(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "loaded", [], raising=False)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(f"import sys\nsys.loaded.append({folder!r})\n")
    load_plugins([tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"])
    assert sys.loaded == ["a", "b"]


def test_a_path_without_a_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.py: there is no python file here"):
        load_plugins([tmp_path / "nothing.py"])
    with pytest.raises(InputError, match="there is no python file here"):
        load_plugins([tmp_path])


def test_no_plugins_are_fine():
    load_plugins([])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\n1 / 0\n", "bad.py, line 2: ZeroDivisionError: division by zero"),
        ("a = (\n", "bad.py, line 1: SyntaxError"),
        ("import no_such_library\n", "bad.py, line 1: ModuleNotFoundError: No module named 'no_such_library'"),
    ],
)
def test_a_plugin_that_fails_is_named_with_its_line_and_can_be_mended(tmp_path, text, message):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_plugins([path])
    path.write_text("fine = True\n")
    load_plugins([path])
