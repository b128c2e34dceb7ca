"""Every notebook runs from its first cell to its last, in a folder of its own, and has no output in it."""

from __future__ import annotations

import json

import pytest

from scangen_bundle.methods.method import METHODS
from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def test_there_are_four():
    assert len(NOTEBOOKS) == 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    monkeypatch.setattr(METHODS, "_entries", dict(METHODS))  # what a notebook registers goes again
    names: dict = {}
    for cell in cells:
        exec(compile("".join(cell["source"]), f"{path.name}/{cell['id']}", "exec"), names)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_that_it_is_for_research(path):
    assert "Research use only" in "".join(json.loads(path.read_text())["cells"][0]["source"])
