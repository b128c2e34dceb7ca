"""Where a run's data are, by its `settings.yaml`; read without MONAI, which takes longer to import than a viewer may start."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import yaml

from scangen_bundle.errors import InputError

REFERENCE = re.compile(r"@(\w+)")


def read_places(settings: Path) -> dict[str, Any]:
    """`manifest_path`, `features_dir` and `allow_outside` of a training, as far as they are known; {} without settings.

    Of the configuration's expressions only sums of texts and references are understood, as in
    `$@dataset_dir + '/manifest.csv'`; what is written in another way is left out, and can be given on the command line.

    Raises:
        InputError: the file is damaged.
    """
    if not settings.is_file():
        return {}
    try:
        config = yaml.safe_load(settings.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(settings, "cannot be read", "copy the run folder again, or give --manifest") from error
    if not isinstance(config, dict):
        return {}
    places = {}
    for name in ("manifest_path", "features_dir", "allow_outside"):
        value = resolve(config, name)
        if value is not None:
            places[name] = value
    return places


def resolve(config: dict[str, Any], name: str, depth: int = 0) -> Any:
    """An entry with its references followed; None where there is none, or one that is not understood."""
    value = config.get(name)
    if not isinstance(value, str) or depth > 20:  # references in a circle
        return None if depth > 20 else value
    if value.startswith("$"):
        return _evaluate(config, value[1:], depth)
    if REFERENCE.fullmatch(value):
        return resolve(config, value[1:], depth + 1)
    return value


def _evaluate(config: dict[str, Any], expression: str, depth: int) -> Any:
    """A sum of texts and references; None for anything else."""
    try:
        tree = ast.parse(REFERENCE.sub(r"\1", expression), mode="eval").body
    except SyntaxError:
        return None
    return _sum(config, tree, depth)


def _sum(config: dict[str, Any], node: ast.expr, depth: int) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return resolve(config, node.id, depth + 1)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _sum(config, node.left, depth), _sum(config, node.right, depth)
        return left + right if isinstance(left, str) and isinstance(right, str) else None
    return None
