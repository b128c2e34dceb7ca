"""The code of CONTRIBUTING's recipes, so that a test runs what the text shows.

A recipe is a Markdown heading such as `### Recipe: a measure`; its file is the first block of Python below it, its command the
first block of Bash.
"""

from __future__ import annotations

import re
from pathlib import Path

CONTRIBUTING = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"


def recipe(name: str, language: str = "python", text: str | None = None) -> str:
    """The first code block in `language` under the heading `Recipe: <name>`.

    Args:
        name: such as "a measure".
        language: of the block, as written behind its three backticks.
        text: Markdown; None: CONTRIBUTING.md.

    Raises:
        LookupError: there is no such heading, or no such block under it.
    """
    text = CONTRIBUTING.read_text(encoding="utf-8") if text is None else text
    section = re.search(rf"^#+ Recipe: {re.escape(name)}\n(.*?)(?=^#+ |\Z)", _hide_comments(text), re.M | re.S)
    if section is None:
        raise LookupError(f"CONTRIBUTING.md has no heading 'Recipe: {name}'")
    block = re.search(rf"^```{language}\n(.*?)^```", section[1], re.M | re.S)
    if block is None:
        raise LookupError(f"the recipe {name!r} has no block of {language}")
    return block[1].replace(HIDDEN, "#")


def write_recipe(name: str, path: Path) -> Path:
    """Write the recipe's Python block to `path`, for `--plugins`."""
    path.write_text(recipe(name), encoding="utf-8")
    return path


HIDDEN = "\0"


def _hide_comments(text: str) -> str:
    """The text with the `#` of comments inside code blocks replaced, which would read as headings."""
    return re.sub(r"^```.*?^```", lambda block: block[0].replace("#", HIDDEN), text, flags=re.M | re.S)
