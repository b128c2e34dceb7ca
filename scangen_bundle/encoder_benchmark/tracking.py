"""What a benchmark logs to MLflow: a run that holds the files, and below it one per encoder with its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FILES = ("results.json", "results.csv", "leaderboard.html")


def tracked_values(result: Mapping[str, Any]) -> dict[str, float]:
    """An encoder's values as `benchmark/<measure>` and `benchmark/<measure>/<scanner>`; undefined ones are left out."""
    values = {key: entry["value"] for key, entry in result["figures"].items()}
    for key, by_scanner in result["scanners"].items():
        values.update({f"{key}/{scanner}": entry["value"] for scanner, entry in by_scanner.items()})
    values["tiles_per_second"] = result["encoder"]["tiles_per_second"]
    return {f"benchmark/{key}": value for key, value in values.items() if value is not None}
