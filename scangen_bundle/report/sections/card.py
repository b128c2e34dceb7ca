"""What was evaluated, on what, and what the words mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scangen_bundle.report.page import Cell, Column, Row, Section, Table
from scangen_bundle.report.sections.context import Context
from scangen_bundle.statistics.interval import FEW_PATIENTS

GLOSSARY = {
    "AUROC": "Chance that a random positive scan scores higher than a random negative one; 0.5 is guessing, 1 is perfect.",
    "Worst scanner": "The lowest AUROC of any scanner: what the least lucky hospital gets.",
    "ICC of the logit": "Intraclass correlation: share of the scores' variance that is due to the specimen. 1 means that "
    "only the specimen matters, 0 that only the scanner does. Read it beside the spread between specimens.",
    "SD between specimens": "Standard deviation of the specimens' mean scores. Near 0 the network scores all specimens alike, "
    "and agreement between scanners means nothing.",
    "CoV": "Coefficient of variation: standard deviation over mean of one specimen's scores across its scanners, averaged "
    "over specimens. 0 means that the scanner does not matter.",
    "Flip rate": "Share of specimens whose predicted class changes with the scanner.",
    "Threshold": "Score from which a scan counts as positive; to be chosen on validation patients, never on test patients.",
    "95 % CI": "Confidence interval from resampled patients: the range that holds 95 % of their values, or with fewer than "
    f"{FEW_PATIENTS} patients the BCa interval, which corrects its bias.",
    "SD ratio of the logit": "How far one specimen's scores differ between scanners, compared with how far specimens differ "
    "from each other. 0 means that the scanner does not matter; a change of the scores' scale does not change it.",
    "Bland-Altman limits": "About 95 % of specimens differ between two scanners by an amount within these limits.",
    "ECE": "Expected calibration error: mean gap between predicted probability and observed share of positives.",
    "*": "A scanner that the network never saw in training. A method that needs scans of each scanner, such as standardise, "
    "was fitted on training patients' scans of it.",
}


def card_section(context: Context, card: Mapping[str, Any] | None) -> Section:
    """Model and data card, then the glossary.

    Args:
        context: gives the counts.
        card: facts of the model by name; nested mappings become `outer: inner`. They
            come after the counts; one with the name of a fact of ours replaces it.
    """
    scans, settings = context.predictions, context.metrics["settings"]
    facts: dict[str, Any] = {
        "Scans": f"{len(scans):,}",
        "Specimens": f"{scans['specimen_id'].nunique():,}",
        "Patients": f"{scans['patient_id'].nunique():,}",
        "Scanners": ", ".join(context.name(scanner) for scanner in context.scanners),
        "Classes": ", ".join(context.class_names),
        "Threshold": threshold_text(context),
        "Bootstrap": f"{settings['resamples']:,} resamples of patients, seed {settings['seed']}",
    }
    facts.update(_flat(card or {}))
    rows = [Row([Cell(name), Cell(str(value), kind="wide")]) for name, value in facts.items()]
    glossary = [Row([Cell(name), Cell(text, kind="wide")]) for name, text in GLOSSARY.items()]
    return Section(
        "card",
        "Model and data card",
        [
            Table("card-facts", "Facts", [Column("fact"), Column("value")], rows),
            Table("glossary", "Words", [Column("word"), Column("meaning")], glossary),
        ],
        folded=True,
    )


def threshold_text(context: Context) -> str:
    """The threshold, and how it was chosen where that is known."""
    if context.threshold is None:
        return "largest probability wins"
    source = context.metrics["settings"].get("threshold_source")
    return f"{context.threshold:.3f}, {source}" if source else f"{context.threshold:.3f}"


def _flat(card: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    facts: dict[str, str] = {}
    for name, value in card.items():
        if isinstance(value, Mapping):
            facts.update(_flat(value, f"{prefix}{name}: "))
        elif isinstance(value, (list, tuple)):
            facts[f"{prefix}{name}"] = ", ".join(map(str, value))
        else:
            facts[f"{prefix}{name}"] = str(value)
    return facts
