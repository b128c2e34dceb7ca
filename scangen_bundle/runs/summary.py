"""A run in a few words and numbers: what MLflow shows on top of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.runs.settings import RunSettings
from scangen_bundle.secrets import masked

# Shown without a prefix, so that they stand above `test/`, `train/` and `val/`.
HEADLINE = {
    "auroc/mean": "auroc_mean",
    "auroc/worst": "auroc_worst",
    "logit_icc": "icc_of_the_logit",
    "specimen_sd": "sd_between_specimens",
    "cov": "cov",
    "flip_rate": "flip_rate",
}


def headline_figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The handful of figures to judge a run by; those that are undefined are left out."""
    figures = {}
    for key, name in HEADLINE.items():
        value = metrics["figures"].get(key, {}).get("value")
        if value is not None:
            figures[name] = value
    return figures


def run_tags(settings: RunSettings, metrics: Mapping[str, Any], trained: Sequence[str]) -> dict[str, str]:
    """What runs are searched by: method, encoder, scanners.

    Args:
        settings: of the run.
        metrics: content of `metrics.json`.
        trained: scanners of the training scans.
    """
    unseen = metrics["settings"]["unseen_scanners"]
    return {
        "method": str(settings.get("method", "")),
        "encoder": str(settings.get("encoder_name", "")),
        "scanners": ", ".join(trained),
        "unseen_scanners": ", ".join(unseen) or "none",
    }


def describe(name: str, tags: Mapping[str, str], metrics: Mapping[str, Any], advice: str) -> str:
    """The text that MLflow shows above a run, as Markdown.

    Args:
        name: of the run.
        tags: of `run_tags`.
        metrics: content of `metrics.json`.
        advice: the sentence on top of the run's page.
    """
    cohort = metrics["cohort"]
    lines = [
        f"**{name}**: method {tags['method'] or 'unknown'}, encoder {tags['encoder'] or 'unknown'}.",
        f"Trained on {tags['scanners'] or 'unknown scanners'}; never seen: {tags['unseen_scanners']}.",
        f"Tested on {cohort['patients']} patients, {cohort['specimens']} specimens, {cohort['scans']} scans.",
    ]
    if cohort.get("alike"):
        lines.append(f"**The {cohort['alike']}.**")
    table = ["| figure | value | 95 % interval |", "|---|---|---|"]
    for key, short in HEADLINE.items():
        entry = metrics["figures"].get(key, {})
        if entry.get("value") is not None:
            table.append(f"| {short.replace('_', ' ')} | {entry['value']:.3f} | {_interval(entry)} |")
    text = "\n\n".join([*lines, f"*{advice}*", "\n".join(table), f"{RESEARCH_USE_ONLY} Page: artifact `report.html`."])
    return masked(text)


def _interval(entry: Mapping[str, Any]) -> str:
    low, high = entry.get("low"), entry.get("high")
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
