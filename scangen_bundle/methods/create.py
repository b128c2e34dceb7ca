"""A method from the words of the command line."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from scangen_bundle.errors import InputError
from scangen_bundle.methods.combined import Combined
from scangen_bundle.methods.method import METHODS, Method


def create_method(name: str, options: Mapping[str, Mapping[str, Any]] | None = None) -> Method:
    """The method of this name, or several joined by `+`.

    Args:
        name: such as "scangen" or "standardise+scangen".
        options: of each method by its name, such as `{"scangen": {"weight": 10}}`; others keep their defaults.

    Raises:
        InputError: no method has such a name, or it does not take such an option.
    """
    names = [word.strip() for word in name.split("+")]
    repeated = sorted({word for word in names if names.count(word) > 1})
    if repeated:
        raise InputError(f"method {name!r}", f"names {', '.join(repeated)} more than once", "name each method once")
    options = options or {}
    methods = [_create(word, options.get(word, {})) for word in names]
    unused = sorted(options.keys() - set(names))
    if unused:
        problem = f"is for {', '.join(unused)}, the method is {name}"
        raise InputError("--method_options", problem, "give options of the chosen methods, by their names")
    return methods[0] if len(methods) == 1 else Combined(methods)


def _create(name: str, options: Mapping[str, Any]) -> Method:
    method = METHODS[name]
    takes = list(inspect.signature(method).parameters)
    unknown = [option for option in options if option not in takes]
    if unknown:
        remedy = f"its options are {', '.join(takes)}" if takes else "it has no options"
        raise InputError(f"method {name!r}", f"has no option {', '.join(unknown)}", remedy)
    try:
        return method(**options)
    except (ValueError, TypeError) as error:
        raise InputError(f"method {name!r}", str(error), "correct --method_options") from error
