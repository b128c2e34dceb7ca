"""Every `scangen` command that the README and the guide show has that word and those options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from scangen_bundle.cli.main import commands
from tests.conftest import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")], key=str)
NOT_YET = {"study"}  # listed by the command before it is there


def shown(page: Path) -> list[list[str]]:
    """The words after `scangen` of each command on a page."""
    text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
    return [shlex.split(line) for line in re.findall(r"(?:^|`)scangen ([a-z]+\b[^`\n#]*)", text, re.M)]


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_commands_that_there_are(page):
    context = click.Context(commands)
    for word, *arguments in shown(page):
        command = commands.get_command(context, word)
        if command is None and word in NOT_YET:
            continue
        assert command is not None, word
        own = click.Context(command)
        options = {
            option for parameter in command.get_params(own) for option in (*parameter.opts, *parameter.secondary_opts)
        }
        used = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
        assert set(used) <= options, (page.name, word, sorted(set(used) - options))


def test_the_guide_shows_the_way_from_slides_to_the_viewer():
    words = {word for page in PAGES for word, *_ in shown(page)}
    assert {"init", "check", "extract", "train", "evaluate", "compare", "predict", "view", "report", "score"} <= words
