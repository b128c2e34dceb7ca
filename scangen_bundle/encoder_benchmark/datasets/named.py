"""Any set of slides whose file names tell specimen and scanner, every specimen on every scanner: state a pattern."""

from __future__ import annotations

import re

from scangen_bundle.encoder_benchmark.datasets.base import Layout
from scangen_bundle.errors import InputError


def named_layout(pattern: str, name: str = "the set") -> Layout:
    """A layout by a regular expression.

    Args:
        pattern: of a scan's path below the folder, with the named groups `specimen` and `scanner`, and `patient` and `label`
            where the name tells them; such as `(?P<specimen>[^_/]+)_(?P<scanner>[^_/]+)\\.tif`.
        name: of the set.

    Raises:
        InputError: not a regular expression, or a group is missing.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError("pattern", f"it is not a regular expression: {error}", "correct it") from error
    if not {"specimen", "scanner"} <= set(compiled.groupindex):
        problem = f"it has the groups {sorted(compiled.groupindex)}, expected specimen and scanner"
        raise InputError("pattern", problem, "name them as (?P<specimen>...) and (?P<scanner>...)")
    return Layout(
        name=name,
        expected=f"files whose path matches {pattern}",
        pattern=compiled,
        row=lambda groups: {
            "specimen_id": groups["specimen"],
            "patient_id": groups.get("patient") or groups["specimen"],
            "scanner": groups["scanner"],
            "label": groups.get("label") or "",
        },
    )
