"""The commands of `scangen` that the README and the guides show are ones that there are, with options that they have."""

import re
import shlex

import click
import pytest

from scangen_bundle.cli.main import commands
from tests.conftest import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")], key=str)


def shown(page):
    """The words after `scangen` of each command in a block of code or in backticks."""
    text = re.sub(r"\\\n *", " ", page.read_text(encoding="utf-8"))
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    lines = [line for block in blocks for line in re.findall(r"^(?:\$ )?scangen (.*)", block, re.M)]
    return [*lines, *re.findall(r"`scangen ([^`]*)`", text)]


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_one_that_there_is(page):
    context = click.Context(commands, info_name="scangen")
    for line in shown(page):
        name, *words = shlex.split(line, comments=True)
        if name in ("COMMAND", "--help"):
            continue
        command = commands.get_command(context, name)
        assert command is not None, line
        options = {
            option for parameter in command.get_params(context) for option in parameter.opts + parameter.secondary_opts
        }
        given = [word.partition("=")[0].replace("_", "-") for word in words if word.startswith("--")]
        assert [option for option in given if option not in {*options, "--help"}] == [], line


def test_the_guide_shows_the_way_from_slides_to_the_viewer():
    words = {line.split()[0] for page in PAGES for line in shown(page) if line.split()}
    assert {"init", "check", "extract", "train", "evaluate", "compare", "predict", "view", "report", "score"} <= words
