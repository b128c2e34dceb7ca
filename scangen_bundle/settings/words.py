"""A setting's value as it is typed: what arrives, and whether the setting may have it."""

from __future__ import annotations

import ast
import re
import shlex
from typing import Any

from scangen_bundle.errors import InputError
from scangen_bundle.settings.help import PYTHON
from scangen_bundle.settings.kinds import Kind


def check_word(name: str, word: str, kind: Kind | None) -> None:
    """Refuse a typed value that arrives as another than it was typed, or that the setting cannot have.

    Expressions (`$...`, `@...`, `%...`) pass: what they give is not known yet.

    Args:
        name: of the setting.
        word: as typed.
        kind: of the setting; None where it is not stated.

    Raises:
        InputError: with what to write in its place.
    """
    where = f"--{name} {word}"
    if word == "None":
        problem = "MONAI passes over a None of the command line, so that the setting would stay as it is"
        raise InputError(where, problem, f"write --{name} {PYTHON['null']}")
    if word in PYTHON:
        problem = f"is a text, {word!r}: values of the command line are Python's"
        raise InputError(where, problem, f"write --{name} {PYTHON[word]}")
    if word.startswith(("$", "@", "%")):
        return
    value = arriving(word)
    if "#" in word and _means_text(word, kind):
        shown = value if isinstance(value, str) and "#" not in value else str(value).replace("#", "::")
        raise InputError(
            where, f"arrives as {_shown(shown)}, not as it was typed", f"write --{name} {_with_hash(word)}"
        )
    if _means_text(word, kind) and value != word and not _is_quoted(word):
        remedy = f"write --{name} {shell_word(repr(word))}"
        raise InputError(where, f"arrives as {_shown(value)}, not as it was typed", remedy)
    if kind is not None and not kind.admits(value):
        remedy = f"write --{name} {proposal}" if (proposal := _as_list_of_text(word, kind)) else ""
        raise InputError(where, f"is {_shown(value)}, expected {kind}", remedy)


def arriving(word: str) -> Any:
    """What MONAI's command line makes of a word."""
    from fire.parser import DefaultParseValue

    return DefaultParseValue(word)


def _means_text(word: str, kind: Kind | None) -> bool:
    """Whether whoever typed the word meant a text."""
    if kind is None:
        return isinstance(arriving(word), str)
    return kind.is_text and not (len(kind.names) > 1 and kind.admits(arriving(word)) and word.startswith(("[", "{")))


def _with_hash(word: str) -> str:
    """How a text with "#" is written, which MONAI makes "::" of in every value but the result of an expression."""
    text = word[1:-1] if _is_quoted(word) else word
    return shell_word("$" + repr(text).replace("#", "\\x23"))


def _is_quoted(word: str) -> bool:
    return word[:1] in ("'", '"') and word[-1:] == word[:1]


def _as_list_of_text(word: str, kind: Kind) -> str:
    """How a list of texts is written whose quotes or brackets are missing; "" where none is expected."""
    if "list of text" not in kind.names:
        return ""
    inside = re.sub(r"^[\[(]|[\])]$", "", word.strip())
    return shell_word(str([text.strip().strip("'\"") for text in inside.split(",")]))


def _shown(value: Any) -> str:
    kinds = {
        bool: "the word",
        int: "the number",
        float: "the number",
        str: "the text",
        tuple: "the list",
        list: "the list",
    }
    return f"{kinds.get(type(value), 'the value')} {value!r}"


def shell_word(text: str) -> str:
    """A word of Python as a shell takes it, with double quotes where these suffice."""
    return shlex.quote(text) if re.search(r'["$`\\!]', text) else f'"{text}"'


def literal_list(text: str) -> list[str]:
    """A list of texts as Python writes it.

    Raises:
        ValueError: it is none.
    """
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError) as error:
        raise ValueError(text) from error
    if not isinstance(value, (list, tuple)) or not all(isinstance(entry, str) for entry in value):
        raise ValueError(text)
    return list(value)
