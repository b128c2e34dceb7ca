"""The model card that travels with a packed network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.report.table import headline_table
from scangen_bundle.share.reference import SiteReference
from scangen_bundle.share.run import TrainedRun


def model_card(metadata: Mapping[str, Any], run: TrainedRun, reference: SiteReference) -> str:
    """Markdown: what the network is, what it was measured to do on held-out patients, and where it ends."""
    encoder = metadata["encoder"]
    cohort = run.metrics["cohort"]
    rows = [
        f"| {name} | {facts.patients} | {_number(facts.flip_rate)} ({facts.pairs} pairs) | {_number(facts.quantile)} |"
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
            f"- Encoder of the features: {encoder['name']}, revision {encoder['revision']}, licence {encoder['licence']}, "
            f"trained on {encoder['trained_on']}" + (f", {encoder['source']}" if encoder["source"] else ""),
            f"- Scanners in training: {', '.join(metadata['training_scanners'])}",
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
            "| scanner | patients | flip rate | conformal quantile |",
            "|---|---|---|---|",
            *rows,
            "",
            "The epoch was chosen on the same validation patients, so these numbers are slightly optimistic. For a scanner "
            "that training did not know nothing is guaranteed.",
            "",
        ]
    )


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1e300 else "-"
