"""Print the headline table of evaluated runs; compare two on the same patients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.cli.arguments import find_run
from scangen_bundle.cli.project import find_project
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically

if TYPE_CHECKING:
    from scangen_bundle.runs import EvaluatedRun


def compare(first: EvaluatedRun, second: EvaluatedRun) -> dict:
    """The paired comparison, each run at its own threshold.

    Raises:
        InputError: they are not of the same patients.
    """
    from scangen_bundle.measures import compare_predictions

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


def print_comparison(runs: Sequence[EvaluatedRun], folder: Path) -> None:
    """Print what distinguishes two runs, and write `comparison.json` and `comparison.html`."""
    from scangen_bundle.report.html import write_comparison
    from scangen_bundle.report.sections.comparison import findings

    first, second = runs
    comparison = compare(first, second)
    click.echo(f"\n{second.name} compared with {first.name}:")
    for sentence in findings(comparison, (first.name, second.name)):
        click.echo(f"- {sentence}")
    with write_atomically(folder / "comparison.json") as temporary:
        temporary.write_text(json.dumps(comparison, indent=1, allow_nan=False), encoding="utf-8")
    write_comparison(
        folder / "comparison.html",
        comparison=comparison,
        metrics={run.name: run.metrics for run in runs},
        predictions={run.name: run.predictions for run in runs},
        class_names=first.metrics["settings"].get("class_names", ["negative", "positive"]),
    )
    click.echo(f"wrote {folder / 'comparison.json'} and {folder / 'comparison.html'}")


def warn_of_other_scanners(runs: Sequence[EvaluatedRun]) -> None:
    """Say where one run has not seen scanners that another was trained on."""
    unseen = {run.name: sorted(run.metrics["settings"]["unseen_scanners"]) for run in runs}
    if len({tuple(names) for names in unseen.values()}) > 1:
        listed = "; ".join(f"{name}: {', '.join(names) or 'all were seen'}" for name, names in unseen.items())
        click.echo(
            f"warning: the runs were trained on other scanners, so they differ in more than the method. Unseen by {listed}"
        )


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder of the page of two runs [default: beside the second]."
)
def command(runs: tuple[str, ...], output: Path | None) -> None:
    """Evaluated runs in one table; two of them on one page.

    \b
      scangen compare outputs/without outputs/with
    """
    from scangen_bundle.report.table import headline_table
    from scangen_bundle.runs import read_evaluated_run

    project = find_project(Path.cwd())
    folders = [find_run(run, project) for run in runs]
    evaluated = [read_evaluated_run(folder) for folder in folders]
    if len({run.name for run in evaluated}) < len(evaluated):
        raise InputError("runs", "two folders have the same name", "rename one: the table's rows go by it")
    if output is not None and len(evaluated) != 2:
        raise InputError("--output", f"the page is of two runs, got {len(evaluated)}", "name two, or use scangen study")
    click.echo(headline_table({run.name: run.metrics for run in evaluated}))
    warn_of_other_scanners(evaluated)
    if len(evaluated) == 2:
        names = "_".join(run.name for run in evaluated)
        print_comparison(evaluated, output or folders[1].parent / f"comparison_{names}")
    click.echo(RESEARCH_USE_ONLY)
