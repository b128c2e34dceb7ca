"""Evaluate tables of predictions and print what was found: the work of `scangen score`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.measures import (
    check_predictions,
    compare_predictions,
    evaluate_predictions,
    sensitivity_at,
    youden_threshold,
)
from scangen_bundle.measures.predictions import UNLABELLED
from scangen_bundle.report.estimates import comparison_of, estimate, text
from scangen_bundle.report.words import headline_keys, scanner_measures
from scangen_bundle.runs.predictions import read_predictions as read_csv
from scangen_bundle.statistics.estimate import Estimate

ALIASES = {"slide": "slide_id", "specimen": "specimen_id", "patient": "patient_id"}
VALIDATED = "largest Youden's J on the validation patients"
ARGMAX = "largest probability wins"


def read_predictions(path: str) -> pd.DataFrame:
    """Read a table of predictions and check it.

    Raises:
        InputError: no such file, no CSV, or a wrong table, with its rows.
    """
    table = read_csv(path)
    twice = [new for old, new in ALIASES.items() if old in table.columns and new in table.columns]
    if twice:
        raise InputError(path, f"has the column {twice[0]} under both its names", "keep one")
    table = table.rename(columns=ALIASES)
    try:
        check_predictions(table)
    except ValueError as error:
        remedy = "mend the table (row 1 is the line below the header); --help shows its columns"
        raise InputError(path, str(error), remedy) from error
    return table


def validation_threshold(path: str) -> tuple[float, float]:
    """(threshold, its sensitivity) by Youden's index on the labelled scans of a validation table of two classes."""
    checked = check_predictions(read_predictions(path))
    labelled = checked.label != UNLABELLED
    if checked.classes > 2:
        raise InputError(path, "more than two classes have no threshold", "leave --validation out")
    label, score = checked.label[labelled], checked.probability[labelled, 1]
    threshold = youden_threshold(label, score)
    if threshold != threshold:
        raise InputError(path, "a threshold needs labelled scans of both classes", "give --threshold instead")
    return threshold, sensitivity_at(label, score, threshold)


def remark(result: dict[str, Any], key: str) -> str:
    """Why a value or its interval is undefined, or which of the scanners it leaves out; "" where there is nothing to say."""
    value = value_of(result, key)
    scanners = len(result["cohort"]["scanners"])
    if not value.has_value:
        return f"undefined: {value.reason}"
    if not value.has_interval:
        return f"no interval: {value.interval_reason}"
    if len(value.scanners) not in (0, 1, scanners):
        return f"of {len(value.scanners)} of {scanners} scanners"
    return value.note


def value_of(result: dict[str, Any], key: str) -> Estimate:
    """A value, or the difference of two models."""
    is_comparison = "threshold_second" in result["settings"]
    return comparison_of(result, key).difference if is_comparison else estimate(result, key)


def cell(result: dict[str, Any], key: str) -> str:
    """A value with its interval; a dash where it is undefined."""
    value = value_of(result, key)
    return text(value) if value.has_value else "-"


def scanner_remarks(result: dict[str, Any], measures: Sequence[str]) -> list[str]:
    """A line for each scanner and remark, with the measures that it is about."""
    titles: dict[tuple[str, str], list[str]] = {}
    for scanner in result["cohort"]["scanners"]:
        for name in measures:
            said = remark(result, f"{name}/{scanner}")
            if said and not result["definitions"][name]["without_interval"]:
                titles.setdefault((scanner, said), []).append(result["definitions"][name]["title"])
    return [f"{scanner}: {', '.join(names)} {said}" for (scanner, said), names in titles.items()]


def summary(result: dict[str, Any]) -> str:
    """The headline tables as text."""
    measures = scanner_measures(result, "headline", "summary")
    rows = {
        scanner: [cell(result, f"{name}/{scanner}") for name in measures] for scanner in result["cohort"]["scanners"]
    }
    titles = [result["definitions"][name]["title"] for name in measures]
    parts = [pd.DataFrame.from_dict(rows, orient="index", columns=titles).rename_axis("scanner").to_string()]
    if remarks := scanner_remarks(result, measures):
        parts.append("\n".join(remarks))
    keys = dict.fromkeys([*headline_keys(result), *headline_keys(result, "summary")])
    overall = [overall_row(result, key) for key in keys if key in result["figures"]]
    parts.append(pd.DataFrame(overall).to_string(index=False, justify="left"))
    if alike := result["cohort"]["alike"]:
        parts.append(f"The {alike}.")
    return "\n\n".join(parts)


def overall_row(result: dict[str, Any], key: str) -> dict[str, str]:
    """A value over scanners or specimens, with its p-value and effect where two models are compared."""
    row = {"metric": key, "value": cell(result, key)}
    if "threshold_second" in result["settings"]:
        both = comparison_of(result, key)
        row["p"] = "-" if math.isnan(both.p_value) else f"{both.p_value:.4f}"
        row["effect"] = "-" if math.isnan(both.effect) else f"{both.effect:+.2f}"
    return {**row, "remark": remark(result, key)}


def model_names(first: str, second: str) -> tuple[str, str]:
    """Names of two models: their files', or else their folders', or else plain ones."""
    paths = Path(first).resolve(), Path(second).resolve()
    choices = (tuple(path.stem for path in paths), tuple(path.parent.name for path in paths))
    return next(((a, b) for a, b in choices if a != b), ("first model", "second model"))


def write_html(
    path: str,
    result: dict[str, Any],
    names: Sequence[str],
    sources: Sequence[str],
    first: pd.DataFrame,
    second: pd.DataFrame | None,
) -> None:
    """Write the report of one model or of the comparison of two.

    Args:
        path: of the HTML file.
        result: what was computed.
        names: of the model, or of both.
        sources: how the threshold of each was chosen.
        first, second: their predictions.
    """
    from scangen_bundle.cohort import confounding_report
    from scangen_bundle.report.html import write_comparison, write_report  # matplotlib, for this option only
    from scangen_bundle.report.scores import whole_labels

    count = result["settings"]["classes"]
    class_names = ["negative", "positive"] if count == 2 else [f"class {c}" for c in range(count)]
    if second is None:
        write_report(
            path,
            metrics=result,
            predictions=first,
            class_names=class_names,
            model=names[0],
            confounding=confounding_report(whole_labels(first)),
        )
        return
    tables = dict(zip(names, (first, second), strict=True))
    settings = {
        key: result["settings"][key] for key in ("resamples", "seed", "unseen_scanners", "validation_sensitivity")
    }
    thresholds = result["settings"]["threshold"], result["settings"]["threshold_second"]
    metrics = {
        key: evaluate_predictions(table, **settings, threshold=0.5 if threshold is None else threshold)
        for (key, table), threshold in zip(tables.items(), thresholds, strict=True)
    }
    for each, source in zip(metrics.values(), sources, strict=True):
        each["settings"]["threshold_source"] = source
    write_comparison(path, comparison=result, metrics=metrics, predictions=tables, class_names=class_names)


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of one or two models, and how each was chosen.

    Attributes:
        settings: what `evaluate_predictions` or `compare_predictions` takes.
        sources: a text for each model.
    """

    settings: dict[str, Any]
    sources: list[str]


def choose_thresholds(
    threshold: float | None, validation: str | None, second: float | None, validation_second: str | None
) -> Thresholds:
    """The thresholds that were given, or those of validation tables; 0.5 without either.

    Raises:
        InputError: a validation table is none, or has no threshold.
    """
    settings: dict[str, Any] = {"threshold": 0.5 if threshold is None else threshold}
    sources = ["the default, not chosen on validation patients" if threshold is None else "as given"] * 2
    if validation:
        settings["threshold"], settings["validation_sensitivity"] = validation_threshold(validation)
        sources = [VALIDATED, f"that of the first model, {VALIDATED}"]
    if second is not None:
        settings["threshold_second"], sources[1] = second, "as given"
    if validation_second:
        settings["threshold_second"], sources[1] = validation_threshold(validation_second)[0], VALIDATED
    return Thresholds(settings, sources)


def score(
    predictions: str, second: str | None, output: Path, html: Path | None, thresholds: Thresholds, **settings: Any
) -> None:
    """Evaluate a table, or compare two; write JSON, and a page where one is asked for; print the summary.

    Args:
        predictions, second: CSV or xlsx files; see `read_predictions`.
        output: the JSON file.
        html: the page; None for none.
        thresholds: of the models.
        **settings: `resamples`, `seed` and `unseen_scanners`.

    Raises:
        InputError: a table is none, or cannot be evaluated.
    """
    settings = {**thresholds.settings, **settings}
    first_table = read_predictions(predictions)
    second_table = read_predictions(second) if second else None
    try:
        if second_table is not None:
            result = compare_predictions(first_table, second_table, **settings)
        else:
            settings.pop("threshold_second", None)
            result = evaluate_predictions(first_table, **settings)
            two_classes = result["settings"]["classes"] == 2
            result["settings"]["threshold_source"] = thresholds.sources[0] if two_classes else ARGMAX
    except InputError:
        raise
    except ValueError as error:
        raise InputError(predictions, str(error), "see --help") from error
    names = model_names(predictions, second) if second else (Path(predictions).stem,)
    with write_atomically(output) as temporary:
        temporary.write_text(json.dumps(result, indent=1, allow_nan=False))
    if html:
        write_html(str(html), result, names, thresholds.sources, first_table, second_table)
    print(summary(result))
    print(
        f"\n{_footnote(result, names, thresholds.sources)}\nwrote {' and '.join(map(str, filter(None, (output, html))))}"
    )


def _footnote(result: dict[str, Any], names: Sequence[str], sources: Sequence[str]) -> str:
    settings = result["settings"]
    interval = f"{settings['confidence']:.0%} intervals of {settings['resamples']} resamples of patients"
    what = f"Differences second - first ({names[-1]} - {names[0]})" if len(names) > 1 else "Values"
    used = [settings[key] for key in ("threshold", "threshold_second") if key in settings]
    decision = "Class: the most probable one"
    if None not in used:
        chosen = [f"{value:.4g} ({source})" for value, source in zip(used, sources, strict=False)]
        decision = f"Threshold {' and '.join(chosen)}"
    return f"{what}; {interval}. {decision}. {result['notice']}"
