"""What the container files copy is in the repository and in the build context; what they start exists."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess

import pytest

from tests.conftest import ROOT

FILES = sorted((ROOT / "containers").glob("*.Dockerfile"))


def instructions(path) -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", path.read_text(), flags=re.M))
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def context() -> set[str]:
    """What `.dockerignore` lets through: everything is left out but the names after `!`."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    return {line[1:] for line in lines if line.startswith("!")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_everything_that_is_copied_is_tracked_and_in_the_context(path):
    copied = [word for name, rest in instructions(path) if name == "COPY" for word in rest.split()[:-1]]
    assert copied
    for word in copied:
        assert word in context(), word
        assert subprocess.check_output(["git", "ls-files", word], cwd=ROOT, text=True), word


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_entry_point_is_a_module_that_there_is(path):
    (entry,) = [json.loads(rest) for name, rest in instructions(path) if name == "ENTRYPOINT"]
    assert entry[:2] == ["python", "-m"]
    assert importlib.util.find_spec(entry[2]) is not None
    assert "Research use only" in path.read_text()


def test_patients_data_are_not_sent_to_the_builder():
    assert not context() & {"data", "outputs", "models", ".git"}
