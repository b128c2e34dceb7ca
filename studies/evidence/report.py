"""Tables and figures of the evidence, written into the generated part of docs/results/evidence.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from scangen_bundle.files import write_atomically
from scangen_bundle.measures import PredictionData, PredictionStatistic, auroc, check_predictions
from scangen_bundle.statistics import PatientBootstrap
from scangen_bundle.statistics.bootstrap import Statistic
from scangen_bundle.statistics.compare import Comparison, compare_statistics
from studies.evidence import plan
from studies.evidence.experiment import Setting, training_scanners

matplotlib.use("Agg")

BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
FIGURES = {
    "auroc/mean": "AUROC, mean over scanners",
    "auroc/mean_seen": "AUROC, scanners trained on",
    "auroc/mean_unseen": "AUROC, scanners not trained on",
    "auroc/worst": "AUROC, worst scanner",
    "cov": "CoV over scanners",
    "flip_rate": "flip rate (threshold 0.5)",
    "icc": "ICC(2,1) over scanners",
}
Planned = Mapping[tuple[int, int], Sequence[tuple[Setting, Setting]]]


class MeanOf:
    """Each figure's mean over models, on the same resamples of patients."""

    def __init__(self, parts: Sequence[Statistic]) -> None:
        self.parts = parts
        self.reasons = {key: reason for part in parts for key, reason in part.reasons.items()}

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        found = [part(weights) for part in self.parts]
        return {key: np.mean([each[key] for each in found], axis=0) for key in found[0]}


def complete(planned: Planned, results: Mapping[str, dict]) -> dict[tuple[int, int], Sequence[tuple[Setting, Setting]]]:
    """The cross-validations of which every fold of both arms is finished."""
    return {key: pairs for key, pairs in planned.items() if all(one.key in results for pair in pairs for one in pair)}


def pooled(manifest: pd.DataFrame, settings: Sequence[Setting], results: Mapping[str, dict]) -> pd.DataFrame:
    """Every scan with the probability that the model gave which had not seen its patient."""
    probability = {name: value for setting in settings for name, value in results[setting.key]["test"].items()}
    return manifest.assign(probability=manifest.slide_id.map(probability))


def compare(
    planned: Planned, manifest: pd.DataFrame, results: Mapping[str, dict], resamples: int
) -> dict[str, Comparison]:
    """Baseline beside ScanGen: figures of pooled test predictions, averaged over cross-validations."""
    names = sorted(manifest.scanner.unique())
    statistics: tuple[list[Statistic], list[Statistic]] = ([], [])
    for pairs in planned.values():
        unseen = set(names) - set(training_scanners(names, pairs[0][0]))
        for arm in (0, 1):
            predictions = check_predictions(pooled(manifest, [pair[arm] for pair in pairs], results))
            data = PredictionData(predictions, 0.5, unseen=unseen)
            statistics[arm].append(PredictionStatistic(data, ["auroc", "cov", "flip_rate", "icc"]))
    bootstrap = PatientBootstrap(predictions.strata(), resamples, 0, jackknife=False)
    pair = MeanOf(statistics[0]), MeanOf(statistics[1])
    return compare_statistics([pair], bootstrap, len(manifest))


def figures_table(
    found: Mapping[str, Comparison], keys: Mapping[str, str], arms: tuple[str, str] = ("without", "with ScanGen")
) -> list[str]:
    lines = [
        f"| figure | {arms[0]} | {arms[1]} | difference [95 % interval] | relative |",
        "|---|---|---|---|---|",
    ]
    for key, title in keys.items():
        if key in found and np.isfinite(found[key].first):
            one = found[key]
            change = one.difference
            span = f"{change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
            lines.append(f"| {title} | {one.first:.3f} | {one.second:.3f} | {span} | {change.value / one.first:+.0%} |")
    return lines


def count_of(planned: Planned, wanted: Planned) -> str:
    folds = len(next(iter(planned.values())))
    return (
        f"{len(planned)} of {len(wanted)} planned cross-validations of {folds} folds (each another seed or other training "
        "scanners)."
    )


def weights_of(planned: Planned) -> str:
    names = sorted({(second.weight, second.alpha) for pairs in planned.values() for _, second in pairs})
    choice = ", ".join(f"{weight:g}/{alpha:g}" for weight, alpha in names)
    return f"Weight/alpha of the ScanGen arm over the folds: {choice}."


def sweep_table(config: Mapping[str, Any], results: Mapping[str, dict]) -> list[str]:
    """Mean over folds of what validation saw."""
    lines = [
        "| training scanners | weight | alpha | worst validation AUROC | validation CoV |",
        "|---|---|---|---|---|",
    ]
    for count in config["training_scanners"]:
        folds = [plan.swept(config, count, fold) for fold in range(config["training"]["folds"])]
        for settings in zip(*folds, strict=True):
            if all(one.key in results for one in settings):
                auroc, cov = (
                    np.mean([results[one.key][name] for one in settings]) for name in ("val_auroc", "val_cov")
                )
                one = settings[0]
                alpha = f"{one.alpha:g}" if one.weight else "-"
                cov_text = f"{cov:.3f}" if count > 1 else "-"
                lines.append(f"| {count} | {one.weight:g} | {alpha} | {auroc:.3f} | {cov_text} |")
    return lines


def plot(path: Path, groups: Mapping[str, Mapping[str, Comparison]]) -> None:
    """Both arms' mean AUROC, CoV and ICC for each number of training scanners."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(9, 3), layout="constrained")
    for axis, key in zip(axes, ("auroc/mean", "cov", "icc"), strict=True):
        place = np.arange(len(groups))
        for arm, colour, name in ((0, "#888888", "without"), (1, "#0a6e8a", "with ScanGen")):
            values = [getattr(found[key], ("first", "second")[arm]) for found in groups.values()]
            axis.plot(place + 0.08 * (2 * arm - 1), values, "o", color=colour, label=name)
        for x, found in zip(place, groups.values(), strict=True):
            low, high = found[key].difference.low, found[key].difference.high
            axis.plot([x + 0.08] * 2, [found[key].first + low, found[key].first + high], color="#0a6e8a", linewidth=1)
        axis.set_title(FIGURES[key], fontsize=9)
        axis.set_xticks(place, groups)
        axis.set_xlim(-0.5, len(groups) - 0.5)
        axis.tick_params(labelsize=8)
        axis.grid(axis="y", alpha=0.3)
    axes[1].set_xlabel("scanners trained on", fontsize=9)
    axes[0].legend(fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    pyplot.close(figure)


def write_report(path: Path, config: Mapping[str, Any], manifest: pd.DataFrame, results: Mapping[str, dict]) -> None:
    """Replace the generated part of `path`, and write the figure beside it."""
    lines: list[str] = []
    scanners = sorted(manifest.scanner.unique())
    seconds = sum(result["cpu_seconds"] for result in results.values())
    lines += [
        f"{len(results)} trainings, {seconds / 60:.0f} minutes of one processor core in all. Cohort: "
        f"{manifest.specimen_id.nunique()} specimens of {manifest.patient_id.nunique()} patients x {len(scanners)} scanners.",
        "",
    ]
    groups: dict[str, dict[str, Comparison]] = {}
    for count in config["training_scanners"]:
        swept = [one.key for fold in range(config["training"]["folds"]) for one in plan.swept(config, count, fold)]
        if not all(key in results for key in swept):
            lines += [f"### Training on {count}: not run", ""]
            continue
        lines += [f"### Training on {count} scanner{'s' if count > 1 else ''}", ""]
        for shipped, title in ((True, "As shipped"), (False, "With the weight and alpha of the lowest validation CoV")):
            wanted = plan.arms(config, results, len(scanners), count, shipped)
            done = complete(wanted, results)
            if not done:
                lines += [f"{title}: not run.", ""]
                continue
            found = compare(done, manifest, results, config["resamples"])
            keys = {**FIGURES, **{f"auroc/{name}": f"AUROC, {name}" for name in scanners if shipped}}
            lines += [f"**{title}.** {count_of(done, wanted)} {weights_of(done)}", "", *figures_table(found, keys), ""]
            if shipped:
                groups[str(count)] = found
                if count == len(scanners) - 1:
                    lines += [*left_out_table(done, manifest, results), ""]
        if count == plan.SIDE_SCANNERS:
            for kind, planned in plan.harm(config, results).items():
                if finished := complete(planned, results):
                    harmed = compare(finished, manifest, results, config["resamples"])
                    told = f"{count_of(finished, planned)} {weights_of(finished)}"
                    lines += [f"### Where it may hurt: {kind}", "", told, "", *figures_table(harmed, FIGURES), ""]
            for arms, planned in plan.standardised(config).items():
                if finished := complete(planned, results):
                    beside = compare(finished, manifest, results, config["resamples"])
                    lines += [
                        f"### Features standardised by scanner: {arms[0]} | {arms[1]}",
                        "",
                        count_of(finished, planned),
                        "",
                    ]
                    lines += [*figures_table(beside, FIGURES, arms), ""]
    lines += ["### The sweep, on inner validation", "", *sweep_table(config, results), ""]
    if groups:
        plot(path.parent / "evidence.png", groups)
        lines += [
            "![AUROC, CoV and ICC by number of training scanners, without ScanGen and with it as shipped](evidence.png)",
            "",
        ]
        lines += ["Lines: 95 % interval of the difference, put on the baseline's value."]
    text = path.read_text() if path.exists() else f"# Evidence\n\n{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN)
    with write_atomically(path) as temporary:
        temporary.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + rest.split(END)[1])


def left_out_table(planned: Planned, manifest: pd.DataFrame, results: Mapping[str, dict]) -> list[str]:
    """Leave-one-scanner-out: AUROC on the scanner that training never saw, mean over seeds."""
    names = sorted(manifest.scanner.unique())
    found: dict[str, list[list[float]]] = {}
    for pairs in planned.values():
        (out,) = set(names) - set(training_scanners(names, pairs[0][0]))
        cells = []
        for arm in (0, 1):
            scans = pooled(manifest, [pair[arm] for pair in pairs], results)
            own = scans[scans.scanner == out]
            cells.append(auroc(own.label.to_numpy(), own.probability.to_numpy()))
        found.setdefault(out, []).append(cells)
    lines = ["| scanner left out | seeds | AUROC there, without | with ScanGen |", "|---|---|---|---|"]
    for out, cells in sorted(found.items()):
        without, with_scangen = np.mean(cells, axis=0)
        lines.append(f"| {out} | {len(cells)} | {without:.3f} | {with_scangen:.3f} |")
    return lines
