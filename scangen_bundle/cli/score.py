"""Evaluate anyone's predictions per scanner; with two files, compare two models on the same scans."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("score")
@click.argument("predictions")
@click.argument("second", required=False)
@click.option(
    "--output", default="metrics.json", type=click.Path(path_type=Path), show_default=True, help="JSON to write."
)
@click.option("--html", type=click.Path(path_type=Path), help="Also write a page for people.")
@click.option("--threshold", type=float, help="Of the probability of class 1.  [default: 0.5]")
@click.option("--validation", metavar="TABLE", help="Choose the threshold on these predictions of validation patients.")
@click.option("--threshold-second", type=float, help="Of the second model.  [default: the first one's]")
@click.option("--validation-second", metavar="TABLE", help="The second model's predictions of validation patients.")
@click.option("--unseen-scanner", multiple=True, help="A scanner that the model was not trained on; repeatable.")
@click.option("--plugins", multiple=True, metavar="FILE", help="A python file of your own measures; repeatable.")
@click.option("--resamples", default=2000, show_default=True, help="Bootstrap resamples.")
@click.option("--seed", default=0, show_default=True, help="Of the resamples.")
def command(
    predictions: str,
    second: str | None,
    output: Path,
    html: Path | None,
    threshold: float | None,
    validation: str | None,
    threshold_second: float | None,
    validation_second: str | None,
    unseen_scanner: tuple[str, ...],
    plugins: tuple[str, ...],
    resamples: int,
    seed: int,
) -> None:
    """Anyone's predictions, per scanner: a table in, metrics and a page out.

    \b
    The table (CSV or xlsx) has one row per scan and the columns
      slide        name of the scan, unique                   (or slide_id)
      specimen     the glass, whatever the scanner            (or specimen_id)
      patient      whose it is; intervals resample patients   (or patient_id)
      scanner      which scanner or scanner model
      label        0 or 1 (0..C-1 with more classes), empty = unlabelled
      probability  of class 1, 0 to 1; with C > 2 classes: probability_0 to
                   probability_<C-1>

    Other columns are ignored. What cannot be computed is null and says why. The tables show percentile intervals; the JSON
    file (its layout: docs/metrics.schema.json) has BCa intervals, too.

    \b
      scangen score test.csv --validation val.csv --html report.html
      scangen score test.csv --threshold 0.35 --unseen-scanner GT450
      scangen score baseline.csv scangen.csv --output comparison.json

    With two tables: differences second - first on the same resamples of patients, p-values, Holm over scanners.
    """
    for one, other in (("threshold", "validation"), ("threshold_second", "validation_second")):
        if click.get_current_context().params[one] is not None and click.get_current_context().params[other]:
            raise click.UsageError(
                f"--{one} and --{other} are two ways to choose one threshold: give one".replace("_", "-")
            )
    from scangen_bundle.cli.score_tables import choose_thresholds, score
    from scangen_bundle.plugins import load_plugins

    load_plugins(plugins)
    thresholds = choose_thresholds(threshold, validation, threshold_second, validation_second)
    score(
        predictions,
        second,
        output,
        html,
        thresholds,
        resamples=resamples,
        seed=seed,
        unseen_scanners=list(unseen_scanner),
    )
