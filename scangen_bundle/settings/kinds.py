"""Types and ranges of settings.

A setting's type is that of its value in the config file. Where this does not tell it, or there is a range, the comment behind
the value begins with it, up to a semicolon: `# whole number or none, 2 or more; of a cross-validation`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scangen_bundle.settings.entries import Setting, is_part, is_reference


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_device(value: Any) -> bool:
    return re.fullmatch(r"cpu|mps|cuda(:\d+)?", str(value)) is not None


def _list_of(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, (list, tuple)) and all(map(test, value))


# Each type with its test, in the order in which the type of a value is looked for.
TESTS: dict[str, Callable[[Any], bool]] = {
    "True or False": lambda value: isinstance(value, bool),
    "whole number": _is_whole,
    "number": _is_number,
    "text": _is_text,
    "path": _is_text,
    "device": _is_device,
    "none": lambda value: value is None,
    "list of whole numbers": _list_of(_is_whole),
    "list of numbers": _list_of(_is_number),
    "list of text": _list_of(_is_text),
    "list": _list_of(lambda value: True),
    "mapping": lambda value: isinstance(value, dict),
}
TEXTS = ("text", "path", "device")

_NUMBER = r"-?\d+(?:\.\d+)?"
_RANGE = re.compile(
    rf"(?P<least>{_NUMBER}) or more|above (?P<above>{_NUMBER})|(?P<low>{_NUMBER}) to (?P<high>{_NUMBER})"
)
_CHOICES = re.compile(r"one of (?P<choices>[\w.+-]+(?:, [\w.+-]+)*)")


@dataclass(frozen=True)
class Kind:
    """What a setting may be.

    Attributes:
        names: of the types, any of which it may have; of `TESTS`.
        limits: the range of a number, in words; "" for any.
        choices: the texts that it may be; none for any.
    """

    names: tuple[str, ...]
    limits: str = ""
    choices: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether it may be a text."""
        return any(name in TEXTS for name in self.names)

    def admits(self, value: Any) -> bool:
        """Whether it may be this value."""
        if self.choices and isinstance(value, str):
            return value in self.choices
        return any(TESTS[name](value) for name in self.names) and self._is_within(value)

    def _is_within(self, value: Any) -> bool:
        limits = _RANGE.fullmatch(self.limits)
        if limits is None:
            return True
        if isinstance(value, (list, tuple)):
            return all(map(self._is_within, value))
        if not _is_number(value):
            return True
        if limits["above"] is not None:
            return value > float(limits["above"])
        least = float(limits["least"] or limits["low"])
        return least <= value <= float(limits["high"] or math.inf)

    def __str__(self) -> str:
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = {"none": "'$None'", "device": "cpu, cuda or cuda:0, cuda:1, ..."}
        return " or ".join(words.get(name, name) for name in self.names) + (f", {self.limits}" if self.limits else "")


def kind_of(setting: Setting) -> Kind | None:
    """The type of a setting by its comment and value; None where they do not tell it."""
    stated = stated_kind(setting.comment)
    if stated is not None and stated.names:
        return stated
    names = _names_of(setting.value)
    if not names:
        return None
    return Kind(names, stated.limits if stated else "", stated.choices if stated else ())


def stated_kind(comment: str) -> Kind | None:
    """The type and range that a comment begins with; None where it begins with prose. Its names may be missing."""
    clause = comment.partition(";")[0].strip()
    if choices := _CHOICES.fullmatch(clause):
        return Kind(("text",), choices=tuple(choices["choices"].split(", ")))
    types, comma, limits = clause.partition(", ")
    if _RANGE.fullmatch(types) and not comma:
        return Kind((), types)
    names = tuple(types.replace("True or False", "True/False").split(" or "))
    names = tuple(name.replace("/", " or ") for name in names)
    if all(name in TESTS for name in names) and (not comma or _RANGE.fullmatch(limits)):
        return Kind(names, limits)
    return None


def _names_of(value: Any) -> tuple[str, ...]:
    if value is None or value == [] or is_part(value) or is_reference(value):
        return ()
    if isinstance(value, list) and any(map(is_reference, value)):
        return ()
    name = next(name for name, test in TESTS.items() if test(value))
    return (name,)
