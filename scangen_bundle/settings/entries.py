"""Settings as a config file writes them, with their comments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

# What MONAI runs, and what it runs with: nothing that a user sets.
PLUMBING = ("imports", "initialize", "run", "finalize")


@dataclass(frozen=True)
class Setting:
    """An entry of a config file, or a plain value of one that is a mapping.

    Attributes:
        name: as on the command line; a nested one is `entry#name`.
        value: as YAML reads it.
        written: as the file writes it; "" for a mapping over several lines.
        comment: behind it on its line.
        above: the comment lines right above it.
    """

    name: str
    value: Any
    written: str
    comment: str
    above: tuple[str, ...] = ()


def is_reference(value: Any) -> bool:
    """Whether a value is set elsewhere, or computed."""
    return isinstance(value, str) and value.startswith(("@", "$", "%"))


def is_step(value: Any) -> bool:
    """Whether an entry is what a command runs: a list of expressions."""
    return isinstance(value, list) and bool(value) and all(str(entry).startswith("$") for entry in value)


def is_part(value: Any) -> bool:
    """Whether an entry is put together from others: a component, or values that refer to other entries."""
    if isinstance(value, dict):
        return "_target_" in value or any(is_part(entry) for entry in value.values())
    return isinstance(value, str) and value.startswith("@")


def split_header(text: str) -> tuple[str, int]:
    """The comment that a config file begins with, without its signs, and its number of lines."""
    lines = text.splitlines()
    length = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    header = [line.removeprefix("#").removeprefix(" ") for line in lines[:length]]
    return "\n".join(header), length


def read_settings(text: str) -> list[Setting]:
    """The entries of a config file in their order, each mapping followed by the plain values in it.

    Args:
        text: YAML whose top level is a mapping.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return []
    values = yaml.safe_load(text)
    _, header = split_header(text)
    settings: list[Setting] = []
    for key, node in root.value:
        name, value = key.value.lstrip("+~"), values[key.value]
        comments = tuple(_comments_above(text.splitlines(), key.start_mark.line, header))
        settings.append(_setting(text, name, value, key, node, comments))
        settings += _nested(text, name, value, node)
    return settings


def _nested(text: str, name: str, values: Any, node: yaml.Node) -> Iterator[Setting]:
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        return
    for key, child in node.value:
        value = values[key.value]
        if not (key.value.startswith("_") or is_reference(value) or _is_block(child)):
            yield _setting(text, f"{name}#{key.value}", value, key, child)


def _setting(text: str, name: str, value: Any, key: yaml.Node, node: yaml.Node, above: tuple[str, ...] = ()) -> Setting:
    end = key.end_mark if _is_block(node) else node.end_mark
    rest = text[end.index :].split("\n", 1)[0].removeprefix(":")
    written = "" if _is_block(node) else text[node.start_mark.index : node.end_mark.index].rstrip()
    return Setting(name, value, written, rest.strip().removeprefix("#").strip(), above)


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _comments_above(lines: list[str], number: int, header: int) -> list[str]:
    first = number
    while first > header and lines[first - 1].startswith("#"):
        first -= 1
    return lines[first:number]
