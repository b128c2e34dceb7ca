"""What `--help` of a bundle command prints: what its config files say of themselves, and their settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

# How the command line takes what YAML writes so. MONAI passes over a None there; as an expression it counts.
PYTHON = {"true": "True", "false": "False", "null": "'$None'"}
# What MONAI runs, and what it runs with: nothing that a user sets.
PLUMBING = ("imports", "initialize", "run", "finalize")


def split_header(text: str) -> tuple[str, str]:
    """The comment that a config file begins with, without its signs, and the rest."""
    lines = text.splitlines()
    length = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    header = [line.removeprefix("#").removeprefix(" ") for line in lines[:length]]
    return "\n".join(header), "\n".join(lines[length:])


def entries_of(text: str) -> Iterator[tuple[str, list[str]]]:
    """Name and source lines of each top-level entry of a YAML text, with the comments above it."""
    name, lines = "", list[str]()
    for line in text.splitlines():
        begins = re.match(r"([^\s#-][^:]*):(\s|$)", line)
        if name and (begins or not line.startswith((" ", "-"))):
            yield name, lines
            name, lines = "", []
        name = begins[1].strip("'\"") if begins else name
        lines = [*lines, line] if line.strip() else lines
    if name:
        yield name, lines


def settings_of(name: str, lines: Sequence[str]) -> list[str]:
    """The options `--name value`, or `--name#nested value` of a mapping, with their comments, of an entry's source lines.

    Of a mapping, those values are settings that are written out beside their name; what is computed or named by a reference
    is set elsewhere.
    """
    first = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    above, below = list(lines[:first]), lines[first + 1 :]
    value = lines[first].partition(":")[2].strip()
    if value and not value.startswith("#"):
        return [*above, f"--{name} {_python(value)}", *below]
    found = [re.match(r"  ([^\s_#-][^:]*): +(?![\"']?[@$])([^#\s].*)", line) for line in below]
    nested = [f"--{name}#{one[1]} {_python(one[2])}" for one in found if one]
    return [*above, *([value] if value else []), *nested] if nested else []


def _python(value: str) -> str:
    """A value of YAML, with the comment behind it, as the command line takes it."""
    return re.sub(r"^(true|false|null)\b", lambda word: PYTHON[word[1]], value)


def is_part(value: Any) -> bool:
    """Whether an entry is put together from others: a component, or values that refer to other entries."""
    if isinstance(value, Mapping):
        return "_target_" in value or any(is_part(one) for one in value.values())
    return isinstance(value, str) and value.startswith("@")


def help_text(files: Sequence[Path]) -> str:
    """The help of a command with these config files, of which a later one changes what an earlier one says.

    Returns:
        For each file its own comment and the settings that no later file gives, with their values there; then the names of
        the parts, which have nested settings.
    """
    texts = [file.read_text(encoding="utf-8") for file in files]
    contents = [{name.lstrip("+~"): value for name, value in (yaml.safe_load(text) or {}).items()} for text in texts]
    out, parts = list[str](), dict[str, None]()
    for number, (file, text) in enumerate(zip(files, texts, strict=True)):
        header, rest = split_header(text)
        out += [f"{file}:", header, ""]
        for written, lines in entries_of(rest):
            name = written.lstrip("+~")
            value = contents[number].get(name)
            expressions = isinstance(value, list) and any(
                str(one).startswith("$") for one in value
            )  # what a command runs
            if name in PLUMBING or expressions or any(name in later for later in contents[number + 1 :]):
                continue
            out += settings_of(name, lines)
            if is_part(value):
                parts[name] = None
        out.append("")
    nested = [f"Any value of a part can be set as well (--part#name value): {', '.join(parts)}"] if parts else []
    return "\n".join(out + nested)
