"""Evaluate a run from the files in its folder: neither network nor engine, neither slides nor bags."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import pandas as pd

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.cohort import confounding_report
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.measures import evaluate_embeddings, evaluate_predictions, sensitivity_at, youden_threshold
from scangen_bundle.plugins import load_plugins
from scangen_bundle.report.table import headline_table
from scangen_bundle.runs.features import read_audit
from scangen_bundle.runs.folder import RunFolder
from scangen_bundle.runs.history import read_history
from scangen_bundle.runs.predictions import read_predictions
from scangen_bundle.runs.settings import RunSettings
from scangen_bundle.runs.specimen_files import specimen_files
from scangen_bundle.runs.splits import COLUMNS, read_splits
from scangen_bundle.runs.summary import describe, headline_figures, run_tags
from scangen_bundle.runs.tracking import RunTracker
from scangen_bundle.runs.vectors import read_vectors

logger = logging.getLogger(__name__)


def evaluate_run(
    run_dir: str | os.PathLike[str],
    *,
    resamples: int = 2000,
    seed: int = 0,
    tracker: RunTracker | None = None,
    paper: bool = False,
) -> dict[str, Any]:
    """Compute metrics from a run's predictions and write `report.html` and, last, `metrics.json`.

    The threshold is chosen on the validation patients. Only the first of several processes evaluates.

    Args:
        run_dir: the run folder with `predictions.csv`, `val_predictions.csv`, `settings.yaml` and `splits.csv`. Embeddings,
            colours, audit and history add to the report where their files are.
        resamples: bootstrap resamples of patients.
        seed: of the resamples.
        tracker: the MLflow run that gets metrics and files; None for none.
        paper: also write each figure as PDF and each table as LaTeX, into the run's folder `paper`.

    Returns:
        Content of `metrics.json`; empty in other processes than the first.

    Raises:
        InputError: a file is missing or damaged, the predictions cannot be evaluated, or the MLflow store fails.
    """
    if idist.get_rank() != 0:
        return {}
    folder = RunFolder(run_dir)
    folder.metrics.unlink(missing_ok=True)  # it stands for a finished evaluation
    settings = RunSettings.read(folder.settings)
    load_plugins(settings.get("plugins", ()))
    if tracker is not None:
        tracker.start()
    try:
        metrics = _evaluate(folder, settings, resamples, seed, paper)
    except BaseException as error:
        if tracker is not None:
            tracker.finish("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    if tracker is not None:
        _track(tracker, folder, settings, metrics)
    print(headline_table({folder.name: metrics}))
    print(f"wrote {folder.report} and {folder.metrics.name}")
    print(RESEARCH_USE_ONLY)
    return metrics


def _evaluate(folder: RunFolder, settings: RunSettings, resamples: int, seed: int, paper: bool) -> dict[str, Any]:
    table = read_predictions(folder.predictions)
    if missing := [column for column in COLUMNS if column != "split" and column not in table]:
        raise InputError(folder.predictions, f"has no column {', '.join(missing)}", "evaluate the run again")
    splits = read_splits(folder.splits)
    trained = sorted(set(splits.loc[splits["split"] == "train", "scanner"]))
    metrics = _evaluate_predictions(folder, settings, table, trained, resamples, seed)
    slide_ids = list(table["slide_id"])
    embeddings = read_vectors(folder.embeddings, slide_ids)
    if embeddings is not None:
        colours = read_vectors(folder.colours, slide_ids)
        metrics["embedding"] = _evaluate_embeddings(table, embeddings, colours, resamples, seed)
    _write_report(folder, settings, table, embeddings, metrics, trained, paper)
    with write_atomically(folder.metrics) as temporary:
        temporary.write_text(json.dumps(metrics, indent=1, allow_nan=False), encoding="utf-8")
    return metrics


def choose_threshold(validation: pd.DataFrame, where: object) -> tuple[float, float | None, str]:
    """The threshold of class 1 with the largest Youden's J on validation predictions.

    Args:
        validation: predictions with `label` and `probability`; scans without a label do not count.
        where: names the table in messages.

    Returns:
        The threshold, the sensitivity that it has on validation, and how it was chosen. With one class only there is no
        best threshold: 0.5 then, without a sensitivity, and the text says so.
    """
    labelled = validation[validation["label"] >= 0]
    label, score = labelled["label"].to_numpy(), labelled["probability"].to_numpy()
    threshold = youden_threshold(label, score)
    if not np.isfinite(threshold):
        logger.warning("%s: the validation patients are of one class; the threshold is 0.5", where)
        return 0.5, None, "0.5, because the validation patients are of one class"
    return threshold, sensitivity_at(label, score, threshold), "largest Youden's J on the validation patients"


def _evaluate_predictions(
    folder: RunFolder, settings: RunSettings, table: pd.DataFrame, trained: Sequence[str], resamples: int, seed: int
) -> dict[str, Any]:
    class_names = list(settings["class_names"])
    threshold, sensitivity, source = 0.5, None, "largest probability wins"
    if len(class_names) == 2:
        validation = read_predictions(folder.val_predictions)
        threshold, sensitivity, source = choose_threshold(validation, folder.val_predictions)
    try:
        metrics = evaluate_predictions(
            table,
            threshold=threshold,
            validation_sensitivity=sensitivity,
            resamples=resamples,
            seed=seed,
            unseen_scanners=sorted(set(table["scanner"]) - set(trained)),
        )
    except ValueError as error:
        raise InputError(folder.predictions, str(error), "correct the manifest or the test split") from error
    metrics["settings"].update(
        threshold_source=source,
        class_names=class_names,
        method=settings["method"],
        fitted_on_held_out=settings["method_def"].needs.new_scans,
    )
    return metrics


def _evaluate_embeddings(
    table: pd.DataFrame, embeddings: np.ndarray, colours: np.ndarray | None, resamples: int, seed: int
) -> dict[str, Any]:
    estimates = evaluate_embeddings(
        embeddings,
        patient=table["patient_id"].to_numpy(dtype=str),
        specimen=table["specimen_id"].to_numpy(dtype=str),
        scanner=table["scanner"].to_numpy(dtype=str),
        label=table["label"].to_numpy(),
        colours=colours,
        resamples=resamples,
        seed=seed,
    )
    return {key: estimate.to_json() for key, estimate in estimates.items()}


def _write_report(
    folder: RunFolder,
    settings: RunSettings,
    table: pd.DataFrame,
    embeddings: np.ndarray | None,
    metrics: Mapping[str, Any],
    trained: Sequence[str],
    paper: bool,
) -> None:
    from scangen_bundle.report.html import write_report  # matplotlib takes a second to import
    from scangen_bundle.report.ranking import rank_specimens

    ranked = rank_specimens(table, sorted(set(table["scanner"])), metrics["settings"]["threshold"])
    trained_with = ", ".join(f"{name} {value}" for name, value in settings.values().items())
    write_report(
        folder.report,
        metrics=metrics,
        predictions=table,
        class_names=list(settings["class_names"]),
        model=folder.name,
        embeddings=embeddings,
        history=read_history(folder.history),
        audit=read_audit(folder.audit),
        confounding=confounding_report(table),
        card={
            "training scanners": list(trained),
            "encoder": settings.get("encoder_name", ""),
            "cohort": settings.get("manifest_path", ""),
            "trained with": trained_with,
        },
        specimen_files=specimen_files(folder, settings, table, ranked.names),
        paper=folder.path / "paper" if paper else None,
    )


def tracked_figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics by MLflow name `test/<key>` (`test/embedding/<key>`); those of pairs of scanners are in metrics.json alone."""
    figures = {**metrics["figures"], **{f"embedding/{k}": v for k, v in metrics.get("embedding", {}).items()}}
    return {
        f"test/{key}": figure["value"]
        for key, figure in figures.items()
        if figure["value"] is not None and " vs " not in key
    }


def _track(tracker: RunTracker, folder: RunFolder, settings: RunSettings, metrics: Mapping[str, Any]) -> None:
    from scangen_bundle.report.html import make_context
    from scangen_bundle.report.sections.advice import advice

    splits, predictions = read_splits(folder.splits), read_predictions(folder.predictions)
    trained = sorted(set(splits.loc[splits["split"] == "train", "scanner"]))
    context = make_context(metrics, predictions, list(settings["class_names"]))
    tags = run_tags(settings, metrics, trained)
    description = describe(folder.name, tags, metrics, advice(context))
    tracker.set_tags({**tags, "mlflow.note.content": description})
    tracker.log_metrics({**headline_figures(metrics), **tracked_figures(metrics)})
    source = str(settings.get("manifest_path", "") or folder.splits)
    for split in ("train", "val", "test"):
        table = splits[splits["split"] == split]
        tracker.log_dataset(Path(source).parent.name, table, split, source)
    parquet = folder.predictions.with_suffix(".parquet")
    for path in (folder.predictions, parquet, folder.val_predictions, folder.metrics, folder.report, folder.splits):
        tracker.log_artifact(path)
    tracker.log_artifact(folder.settings)
    tracker.log_artifact(folder.best, "models")
    tracker.finish()
