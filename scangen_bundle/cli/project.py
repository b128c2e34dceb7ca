"""`scangen.yaml`: what is said once for a project, read by every command in its folder and below.

Its entries are settings of the configs, with short names for some. They are plain values: an expression would be code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scangen_bundle.errors import InputError

NAME = "scangen.yaml"
ALIASES = {"data_root": "dataset_dir", "encoder": "encoder_name", "manifest": "manifest_path", "output": "output_dir"}
PATHS = ("dataset_dir", "manifest_path", "features_dir", "output_dir", "masks_dir")


@dataclass(frozen=True)
class Project:
    """A project's settings.

    Attributes:
        folder: of its file; without a file the working directory.
        values: by the configs' names; paths are absolute.
        path: of the file; None without one.
    """

    folder: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None


def find_project(start: Path) -> Project:
    """The project that a folder belongs to: its own `scangen.yaml`, or the nearest one above.

    Raises:
        InputError: the file is no YAML, or an entry is no plain value.
    """
    for folder in (start, *start.parents):
        if (folder / NAME).is_file():
            return read_project(folder / NAME)
    return Project(start)


def read_project(path: Path) -> Project:
    """Read a project's file.

    Raises:
        InputError: it cannot be read, is no YAML, or an entry is no plain value or given twice.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(path, f"cannot be read ({error})", "correct it, or make it anew: scangen init") from error
    if not isinstance(content or {}, dict):
        raise InputError(path, "is no list of settings", "write a line for each: name: value")
    values: dict[str, Any] = {}
    for name, value in (content or {}).items():
        _check_plain(path, str(name), value)
        full = ALIASES.get(str(name), str(name))
        if full in values:
            raise InputError(path, f"gives {full} twice, also as {name}", "keep one")
        values[full] = os.path.abspath(path.parent / value) if full in PATHS and value else value
    values = {name: value for name, value in values.items() if value is not None}
    return Project(path.parent, values, path)


def _check_plain(path: Path, name: str, value: Any) -> None:
    """Refuse what MONAI would evaluate.

    Raises:
        InputError: it names the entry.
    """
    nested = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for entry in nested:
        _check_plain(path, name, entry)
    is_code = isinstance(value, str) and value.startswith(("$", "@", "%"))
    if is_code or (isinstance(value, Mapping) and "_target_" in value):
        problem = f"{name} is an expression; a project's file holds plain values, since expressions run code"
        raise InputError(path, problem, "write the value itself, or give a config of your own with --overlay")
