"""The commands that the README and the guides show name files, steps and settings that exist; MONAI checks no names."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest
from fire.parser import DefaultParseValue

from scangen_bundle.settings.command_line import load_config, options_of, unknown_settings
from tests.conftest import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "configs").rglob("*.yaml")], key=str)


def commands(page: Path) -> list[list[str]]:
    """The words after `monai.bundle run` of each command on a page, through continued lines."""
    text = re.sub(r"\\\n[# ]*", " ", page.read_text(encoding="utf-8"))
    return [shlex.split(found) for found in re.findall(r"-m monai\.bundle run (\w+ .*?)(?:`|\s#|$)", text, re.M)]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_command_names_what_there_is(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    for step, *words in commands(page):
        pairs = takewhile(lambda pair: pair[0].startswith("--"), zip(words[::2], words[1::2], strict=False))
        options = options_of([word for pair in pairs for word in pair])  # prose may follow
        config = load_config(options["config_file"])
        assert step in config, (step, options)
        assert unknown_settings(options, config) == [], (step, options)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_is_set_to_null_on_a_command_line_where_that_is_a_word(page):
    assert DefaultParseValue("None") is None
    assert DefaultParseValue("null") == "null"
    assert not re.search(r"--\w+[ =]null\b", page.read_text(encoding="utf-8"))


def test_the_readme_shows_the_whole_way():
    steps = [step for step, *_ in commands(ROOT / "README.md")]
    assert steps[:4] == ["extracting", "training", "evaluating", "inferring"]
