"""The leaderboard as a Markdown table, to be pasted into a document: a row per measure, a column per encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scangen_bundle.encoder_benchmark.catalogue import KNOWN
from scangen_bundle.report.estimates import estimate


def markdown_table(content: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Values with 95 % intervals of some measures; the last column is the baseline, a range where encoders differ in it.

    Args:
        content: of `results.json`.
        keys: of `catalogue.KNOWN`; measures that no encoder has are left out.
    """
    encoders = content["encoders"]
    lines = [["", *encoders, "baseline"], ["---"] * (len(encoders) + 2)]
    for key in keys:
        found = [estimate(result, key) for result in encoders.values()]
        if all(item.value != item.value for item in found):
            continue
        entries = [result["figures"].get(key, {}) for result in encoders.values()]
        lines.append([KNOWN[key].title, *(item.text() for item in found), _baselines(entries)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _baselines(entries: Sequence[Mapping[str, Any]]) -> str:
    texts = sorted({f"{entry['baseline']:.3f}" for entry in entries if entry.get("baseline") is not None}, key=float)
    return " to ".join(dict.fromkeys([texts[0], texts[-1]])) if texts else ""
