"""Print the headline table of evaluated runs; with two, compare them on the same patients. Research use only."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.errors import InputError, report_input_errors
from scangen_bundle.files import write_atomically
from scangen_bundle.measures import compare_predictions
from scangen_bundle.report.html import write_comparison
from scangen_bundle.report.sections.comparison import findings
from scangen_bundle.report.table import headline_table
from scangen_bundle.runs import EvaluatedRun, read_evaluated_run


def compare(first: EvaluatedRun, second: EvaluatedRun) -> dict:
    """The paired comparison, each run at its own threshold."""
    settings = [run.metrics["settings"] for run in (first, second)]
    thresholds = [0.5 if each["threshold"] is None else each["threshold"] for each in settings]
    try:
        return compare_predictions(
            first.predictions,
            second.predictions,
            threshold=thresholds[0],
            threshold_second=thresholds[1],
            resamples=settings[0]["resamples"],
            seed=settings[0]["seed"],
            unseen_scanners=sorted({name for each in settings for name in each["unseen_scanners"]}),
        )
    except ValueError as error:
        raise InputError(
            f"{first.name} and {second.name}",
            f"cannot be compared: {error}",
            "evaluate both runs on the same manifest, splits and scanners",
        ) from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN_DIR", help="folders that `run evaluating` has written to")
    parser.add_argument("--output", help="folder for comparison.json and comparison.html (two runs)")
    options = parser.parse_args()

    report_input_errors()
    runs = [read_evaluated_run(folder) for folder in options.runs]
    if len({run.name for run in runs}) < len(runs):
        raise InputError("runs", "two folders have the same name", "rename one: the table's rows go by it")
    metrics = {run.name: run.metrics for run in runs}
    print(headline_table(metrics))
    if len(runs) == 2:
        first, second = runs
        comparison = compare(first, second)
        print(f"\n{second.name} compared with {first.name}:")
        print("\n".join(f"- {sentence}" for sentence in findings(comparison, (first.name, second.name))))
        if options.output:
            folder = Path(options.output)
            with write_atomically(folder / "comparison.json") as temporary:
                temporary.write_text(json.dumps(comparison, indent=1, allow_nan=False), encoding="utf-8")
            write_comparison(
                folder / "comparison.html",
                comparison=comparison,
                metrics=metrics,
                predictions={run.name: run.predictions for run in runs},
                class_names=first.metrics["settings"].get("class_names", ["negative", "positive"]),
            )
            print(f"wrote {folder / 'comparison.json'} and {folder / 'comparison.html'}")
    elif options.output:
        raise InputError("--output", f"a comparison is of two runs, got {len(runs)}", "name two folders")
    print(RESEARCH_USE_ONLY)


if __name__ == "__main__":
    main()
