"""Evaluate anyone's predictions per scanner; with two files, compare two models on the same scans. Research use only.

The CSV has one row per scan and the columns

    slide        name of the scan, unique                        (or slide_id)
    specimen     the glass that was scanned, whatever scanner    (or specimen_id)
    patient      whose it is; intervals resample patients        (or patient_id)
    scanner      which scanner or scanner model
    label        0 or 1 (0..C-1 with more classes), empty = unlabelled
    probability  of class 1, 0 to 1; with C > 2 classes: probability_0 to probability_<C-1>

Other columns are ignored. Written is one JSON file (its layout: docs/metrics.schema.json).
What cannot be computed is null and says why. The tables show percentile intervals; the JSON file has BCa intervals, too.

examples:
  python scripts/evaluate_predictions.py test.csv --validation val.csv
      the threshold comes from validation patients (largest sensitivity + specificity), never from test
  python scripts/evaluate_predictions.py test.csv --threshold 0.35 --unseen-scanner GT450
  python scripts/evaluate_predictions.py baseline.csv scangen.csv --output comparison.json
      differences second - first on the same resamples of patients, p-values, Holm over scanners
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scangen_bundle.errors import InputError, report_input_errors
from scangen_bundle.files import write_atomically
from scangen_bundle.measures import (
    check_predictions,
    compare_predictions,
    evaluate_predictions,
    sensitivity_at,
    youden_threshold,
)
from scangen_bundle.measures.predictions import UNLABELLED
from scangen_bundle.plugins import load_plugins
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", help="CSV of the model, or of the first of two models")
    parser.add_argument("second", nargs="?", help="CSV of a second model on the same scans, for a paired comparison")
    parser.add_argument("--output", default="metrics.json", help="the JSON file to write (default: %(default)s)")
    threshold = parser.add_mutually_exclusive_group()
    threshold.add_argument("--threshold", type=float, help="of the probability of class 1 (default: 0.5)")
    threshold.add_argument("--validation", help="CSV of the (first) model's predictions for validation patients")
    second = parser.add_mutually_exclusive_group()
    second.add_argument("--threshold-second", type=float, help="of the second model (default: the first one's)")
    second.add_argument("--validation-second", help="CSV of the second model's predictions for validation patients")
    parser.add_argument(
        "--unseen-scanner", action="append", default=[], help="a scanner the model was not trained on; repeatable"
    )
    parser.add_argument("--html", help="also write a report for people, one HTML file")
    parser.add_argument("--plugins", nargs="+", default=[], metavar="FILE", help="python files of your own measures")
    parser.add_argument("--resamples", type=int, default=2000, help="bootstrap resamples (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the resamples (default: %(default)s)")
    options = parser.parse_args()
    report_input_errors()
    load_plugins(options.plugins)

    settings: dict[str, Any] = {
        "threshold": 0.5 if options.threshold is None else options.threshold,
        "resamples": options.resamples,
        "seed": options.seed,
        "unseen_scanners": options.unseen_scanner,
    }
    sources = ["the default, not chosen on validation patients" if options.threshold is None else "as given"] * 2
    if options.validation:
        settings["threshold"], settings["validation_sensitivity"] = validation_threshold(options.validation)
        sources = [VALIDATED, f"that of the first model, {VALIDATED}"]
    first = read_predictions(options.predictions)
    second_table = read_predictions(options.second) if options.second else None
    try:
        if second_table is not None:
            if options.threshold_second is not None:
                settings["threshold_second"], sources[1] = options.threshold_second, "as given"
            if options.validation_second:
                settings["threshold_second"] = validation_threshold(options.validation_second)[0]
                sources[1] = VALIDATED
            result = compare_predictions(first, second_table, **settings)
        else:
            result = evaluate_predictions(first, **settings)
            result["settings"]["threshold_source"] = sources[0] if result["settings"]["classes"] == 2 else ARGMAX
    except InputError:
        raise
    except ValueError as error:
        raise InputError(options.predictions, str(error), "see --help") from error

    names = model_names(options.predictions, options.second) if options.second else (Path(options.predictions).stem,)
    with write_atomically(options.output) as temporary:
        temporary.write_text(json.dumps(result, indent=1, allow_nan=False))
    if options.html:
        write_html(options.html, result, names, sources, first, second_table)
    print(summary(result))
    interval = f"{result['settings']['confidence']:.0%} intervals of {options.resamples} resamples of patients"
    what = f"Differences second - first ({names[-1]} - {names[0]})" if options.second else "Values"
    used = [result["settings"][key] for key in ("threshold", "threshold_second") if key in result["settings"]]
    decision = "Class: the most probable one"
    if None not in used:
        chosen = [f"{value:.4g} ({source})" for value, source in zip(used, sources, strict=False)]
        decision = f"Threshold {' and '.join(chosen)}"
    written = " and ".join(filter(None, (options.output, options.html)))
    print(f"\n{what}; {interval}. {decision}. {result['notice']}\nwrote {written}")


if __name__ == "__main__":
    main()
