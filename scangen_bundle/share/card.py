"""The model card that travels with a packed network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.methods import Method
from scangen_bundle.report.table import headline_table
from scangen_bundle.share.flips import FlipRate
from scangen_bundle.share.reference import SiteReference
from scangen_bundle.share.trained_run import TrainedRun


def model_card(metadata: Mapping[str, Any], run: TrainedRun, reference: SiteReference, method: Method) -> str:
    """Markdown: what the network is, what it was measured to do on held-out patients, and where it ends."""
    encoder = metadata["encoder"]
    cohort = run.metrics["cohort"]
    rows = [
        f"| {name} | {_rate(facts.flips)} | {facts.patients} | {_number(facts.quantile)} |"
        for name, facts in (*reference.scanners.items(), ("any other", reference.unseen))
    ]
    return "\n".join(
        [
            f"# Model card: {metadata['name']} {metadata['version']}",
            "",
            f"**{RESEARCH_USE_ONLY}**",
            "",
            f"- Task: {metadata['task']}",
            f"- Classes: {metadata['label_classes']}",
            f"- Slides that it was trained and tested on: {metadata['data_source']}",
            f"- Encoder of the features: {encoder['name']}, revision {encoder['revision']}, licence {encoder['licence']}, "
            f"trained on {encoder['trained_on']}" + (f", {encoder['source']}" if encoder["source"] else ""),
            f"- Scanners in training: {', '.join(metadata['training_scanners'])}",
            f"- Method: {run.meta.get('settings', {}).get('method', method.name)}" + _needs(method),
            f"- Code: version {metadata['version']}, commit {metadata['commit']}",
            "",
            "## Held-out patients",
            f"{cohort['patients']} patients, {cohort['scans']} scans.",
            "",
            "```",
            headline_table({str(metadata["name"]): run.metrics}),
            "```",
            "",
            "## What each result states, and from which validation scans",
            f"Prediction sets at the level {reference.level:g}. Without a quantile there were too few patients, and the set "
            "holds every class.",
            "",
            "| scanner | flip rate [95 % interval] | labelled patients | conformal quantile |",
            "|---|---|---|---|",
            *rows,
            "",
            "The epoch was chosen on the same validation patients, so these numbers are slightly optimistic. For a scanner "
            "that training did not know nothing is guaranteed.",
            "",
        ]
    )


def _needs(method: Method) -> str:
    return (
        "; it needs to know the scanner of a scan, by the name in the slide file" if method.needs.scanner_name else ""
    )


def _rate(flips: FlipRate) -> str:
    if not flips.pairs:
        return "-"
    low, high = flips.interval()
    return f"{flips.value:.3f} [{low:.3f}, {high:.3f}] ({flips.pairs} pairs of {flips.patients} patients)"


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"
