"""The report: one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
import pandas as pd

from scangen_bundle import RESEARCH_USE_ONLY, __version__
from scangen_bundle.files import write_atomically
from scangen_bundle.report.fit import fitted
from scangen_bundle.report.latex import table_latex, write_paper_files
from scangen_bundle.report.page import Section
from scangen_bundle.report.scores import whole_labels
from scangen_bundle.report.sections.advice import advice
from scangen_bundle.report.sections.agreement import agreement_section, lines_group
from scangen_bundle.report.sections.calibration import calibration_section
from scangen_bundle.report.sections.card import card_section, threshold_text
from scangen_bundle.report.sections.cohort import audit_section, confounding_section
from scangen_bundle.report.sections.comparison import comparison_section
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.sections.discrimination import discrimination_section
from scangen_bundle.report.sections.embedding import embedding_section
from scangen_bundle.report.sections.headline import alerts, headline_section, headline_table_block
from scangen_bundle.report.sections.other_measures import other_sections
from scangen_bundle.report.sections.specimens import SpecimenFiles, specimens_section
from scangen_bundle.report.sections.training import training_section

if TYPE_CHECKING:
    from scangen_bundle.cohort.confounding import ConfoundingReport

TEMPLATES = files("scangen_bundle.report") / "templates"


def render(sections: Sequence[Section], title: str, subtitle: str = "", made: str = "", advice: str = "") -> str:
    """The page as HTML. Its content security policy allows its own script by hash and forbids every request.

    Args:
        sections: in their order; tables that are too wide are split.
        title: of the page and the browser's tab.
        subtitle: below the title.
        made: when the page was made.
        advice: a sentence at the top: what to do.
    """
    script = (TEMPLATES / "report.js").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string((TEMPLATES / "report.html.j2").read_text("utf-8")).render(
        sections=[fitted(section) for section in sections],
        latex=table_latex,
        advice=advice,
        title=title,
        subtitle=subtitle,
        made=made,
        version=__version__,
        research_use_only=RESEARCH_USE_ONLY,
        style=(TEMPLATES / "report.css").read_text("utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def write_report(
    path: str | os.PathLike[str],
    *,
    metrics: Mapping[str, Any],
    predictions: pd.DataFrame,
    class_names: Sequence[str] = ("negative", "positive"),
    model: str = "model",
    embeddings: np.ndarray | None = None,
    history: pd.DataFrame | None = None,
    audit: pd.DataFrame | None = None,
    confounding: ConfoundingReport | None = None,
    card: Mapping[str, Any] | None = None,
    specimen_files: SpecimenFiles | None = None,
    paper: str | os.PathLike[str] | None = None,
) -> None:
    """Write the report of one evaluation.

    Args:
        path: of the HTML file.
        metrics: what `metrics.evaluate_predictions` gave for `predictions`.
        predictions: one row per scan: `slide_id, specimen_id, patient_id, scanner, label` and the probabilities.
        class_names: of the labels.
        model: what the evaluated network is called.
        embeddings: [n, E] slide embeddings in the order of `predictions`.
        history: training curves, see `sections.training`.
        audit: resolution audit, a row per scanner (`features.AuditReport.scanners`).
        confounding: of the evaluated cohort.
        card: facts about model and data, by name.
        specimen_files: pictures and files of the specimens.
        paper: folder for a PDF of each figure and LaTeX of each table; None for none.
    """
    context = make_context(metrics, predictions, class_names)
    sections = [headline_section(context, model), specimens_section(context, specimen_files)]
    sections += [discrimination_section(context), agreement_section(context), calibration_section(context)]
    sections += other_sections(context)
    if embeddings is not None:
        sections.append(embedding_section(context, embeddings))
    if confounding is not None:
        sections.append(confounding_section(confounding, class_names, context.unseen))
    if audit is not None:
        sections.append(audit_section(audit, context.unseen))
    if history is not None:
        sections.append(training_section(history))
    sections.append(card_section(context, card))
    title = f"{model}, scanner by scanner"
    _write(path, render(sections, title, "Per-scanner evaluation", advice=advice(context)))
    if paper is not None:
        write_paper_files(sections, paper)


def write_comparison(
    path: str | os.PathLike[str],
    *,
    comparison: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    predictions: Mapping[str, pd.DataFrame],
    class_names: Sequence[str] = ("negative", "positive"),
) -> None:
    """Write the before/after report of two models.

    Args:
        path: of the HTML file.
        comparison: what `metrics.compare_predictions` gave.
        metrics: each model's `metrics.evaluate_predictions`, by the models' names, first and second.
        predictions: each model's predictions of the same scans.
        class_names: of the labels.
    """
    first, second = metrics
    contexts = tuple(make_context(metrics[name], predictions[name], class_names) for name in (first, second))
    loud = alerts(metrics.values(), list(metrics))
    summary = Section("summary", "Summary", [*loud, headline_table_block(metrics)])
    lines = []
    for i, (name, context) in enumerate(zip((first, second), contexts, strict=True)):
        for class_name, view in context.views.items():
            group = lines_group(context, class_name, view)
            panels = [replace(panel, key=f"model-{i}-{panel.key}") for panel in group.panels]
            lines.append(replace(group, title=f"{group.title}, {name}", panels=panels))
    thresholds = "; ".join(f"{name}: {threshold_text(each)}" for name, each in zip(metrics, contexts, strict=True))
    sections = [
        summary,
        comparison_section(comparison, (first, second), (contexts[0], contexts[1])),
        Section("specimens", "Every specimen across its scanners", lines, folded=True),
        card_section(contexts[0], {"Threshold": thresholds}),
    ]
    _write(path, render(sections, f"{second} compared with {first}", "Two models on the same scans"))


def make_context(metrics: Mapping[str, Any], predictions: pd.DataFrame, class_names: Sequence[str]) -> Context:
    """What the sections draw from."""
    settings = metrics["settings"]
    return Context(
        metrics=metrics,
        predictions=whole_labels(predictions),
        class_names=list(class_names),
        threshold=settings["threshold"],
        unseen=list(settings["unseen_scanners"]),
        seed=int(settings["seed"]),
    )


def _write(path: str | os.PathLike[str], page: str) -> None:
    with write_atomically(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
