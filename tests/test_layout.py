"""The tests lie where their subject lies: `tests/<room>/test_<file>.py` is of `scangen_bundle/<room>/<file>.py`.

A test file without such a counterpart says in its docstring what it tests.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "scangen_bundle"


def counterpart(test: Path) -> Path:
    inside = test.relative_to(TESTS)
    return PACKAGE / inside.with_name(inside.name.removeprefix("test_"))


@pytest.mark.parametrize("room", sorted({path.parent for path in TESTS.rglob("test_*.py")}), ids=lambda path: path.name)
def test_a_test_file_mirrors_a_module_or_says_what_it_tests(room):
    for path in sorted(room.glob("test_*.py")):
        described = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert counterpart(path).is_file() or described, f"{path}: no {counterpart(path)}, and no docstring"
