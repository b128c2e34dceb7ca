"""A benchmark's results as files: `results.json`, `results.csv`, `leaderboard.html` and `leaderboard.md`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.encoder_benchmark.leaderboard import write_leaderboard
from scangen_bundle.encoder_benchmark.leaderboard_text import markdown_table
from scangen_bundle.files import write_atomically
from scangen_bundle.measures.feature_measure import feature_measures, overview_measures

Result = Mapping[str, Any]


def _tiles_per_scan(result: Result) -> str:
    counts = result["counts"]
    return f"{counts['tiles'] / max(counts['scans'], 1):,.0f} a scan"


# What keeps two encoders' values from comparing, and how an encoder's result says it.
DIFFERENCES: dict[str, Callable[[Result], str]] = {
    "vectors of different length": lambda result: f"D = {result['encoder']['dim']}",
    "different scans": lambda result: f"{result['counts']['scans']} scans",
    "different numbers of tiles": _tiles_per_scan,
    "different places": lambda result: f"{result['counts']['places']:,} ({result['level']})",
    "different resolutions": lambda result: f"{result['encoder']['mpp'] or 'unknown'} µm/px",
}


def write_results(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the four files, `results.json` last, so that it stands for a finished benchmark.

    Args:
        folder: to write to.
        content: of `results.json`, see docs/encoder_benchmark.md.
    """
    with write_atomically(folder / "results.csv") as temporary:
        results_table(content).to_csv(temporary, index=False)
    write_leaderboard(folder / "leaderboard.html", content)
    with write_atomically(folder / "leaderboard.md") as temporary:
        temporary.write_text(f"{markdown_table(content, overview_measures())}\n{RESEARCH_USE_ONLY}\n", encoding="utf-8")
    with write_atomically(folder / "results.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False))


def results_table(content: Mapping[str, Any]) -> pd.DataFrame:
    """A row per encoder and measure, and per scanner where `scanner` is not empty; one with the reason per failed encoder."""
    measures = feature_measures()
    rows: list[dict[str, Any]] = []

    def add(encoder: str, key: str, scanner: str, entry: Mapping[str, Any]) -> None:
        title = measures[key].title if key in measures else ""  # a plugin's measure may be absent today
        numbers = {name: value for name, value in entry.items() if name != "scanners"}
        rows.append({"encoder": encoder, "measure": key, "scanner": scanner, "title": title, **numbers})

    for encoder, result in content["encoders"].items():
        for key, entry in result["figures"].items():
            add(encoder, key, "", entry)
        for key, by_scanner in result["scanners"].items():
            for scanner, entry in by_scanner.items():
                add(encoder, key, scanner, entry)
    rows += [{"encoder": name, "measure": "", "reason": reason} for name, reason in content["failed"].items()]
    return pd.DataFrame(rows)


def compare_encoders(results: Mapping[str, Any]) -> list[str]:
    """Sentences on what differs between the encoders' features, so that a reader knows what does not compare."""
    warnings = []
    for difference, describe in DIFFERENCES.items():
        names_of: dict[str, list[str]] = {}
        for name, result in results.items():
            names_of.setdefault(describe(result), []).append(name)
        if len(names_of) > 1:
            details = "; ".join(f"{value}: {', '.join(names)}" for value, names in names_of.items())
            warnings.append(f"The encoders have {difference}. {details}.")
    return warnings
