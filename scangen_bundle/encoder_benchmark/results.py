"""What a benchmark found, written: `results.json`, `results.csv`, `leaderboard.html` and `leaderboard.md`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.encoder_benchmark.catalogue import KNOWN, OF_SCANNER
from scangen_bundle.encoder_benchmark.leaderboard import OVERVIEW, write_leaderboard
from scangen_bundle.encoder_benchmark.leaderboard_text import markdown_table
from scangen_bundle.files import write_atomically


def write_results(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the four files; `content` is that of `results.json`, see docs/encoder_benchmark.md."""
    with write_atomically(folder / "results.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False))
    with write_atomically(folder / "results.csv") as temporary:
        results_table(content).to_csv(temporary, index=False)
    write_leaderboard(folder / "leaderboard.html", content)
    with write_atomically(folder / "leaderboard.md") as temporary:
        temporary.write_text(f"{markdown_table(content, OVERVIEW)}\n{RESEARCH_USE_ONLY}\n", encoding="utf-8")


def results_table(content: Mapping[str, Any]) -> pd.DataFrame:
    """A row per encoder and measure, and per scanner where `scanner` is not empty; one with the reason per failed encoder."""
    rows: list[dict[str, Any]] = []
    for name, result in content["encoders"].items():
        for key, values in result["figures"].items():
            rows.append({"encoder": name, "measure": key, "scanner": "", "title": KNOWN[key].title, **values})
        for key, of_scanner in result["scanners"].items():
            for scanner, values in of_scanner.items():
                title = OF_SCANNER[key].title
                rows.append({"encoder": name, "measure": key, "scanner": scanner, "title": title, **values})
    rows += [{"encoder": name, "measure": "", "reason": reason} for name, reason in content["failed"].items()]
    return pd.DataFrame(rows)


def compare_encoders(results: Mapping[str, Any]) -> list[str]:
    """Sentences on what differs between the encoders' features, so that a reader knows what does not compare."""
    warnings = []
    for what, of in (
        ("vectors of different length", lambda one: f"D = {one['encoder']['dim']}"),
        ("different scans", lambda one: f"{one['counts']['scans']} scans"),
        (
            "different numbers of tiles",
            lambda one: f"{one['counts']['tiles'] / max(one['counts']['scans'], 1):,.0f} a scan",
        ),
        ("different places", lambda one: f"{one['counts']['places']:,} ({one['level']})"),
        ("different resolutions", lambda one: f"{one['encoder']['mpp'] or 'unknown'} µm/px"),
    ):
        found: dict[str, list[str]] = {}
        for name, one in results.items():
            found.setdefault(of(one), []).append(name)
        if len(found) > 1:
            said = "; ".join(f"{value}: {', '.join(names)}" for value, names in found.items())
            warnings.append(f"The encoders have {what}. {said}.")
    return warnings
