"""The leaderboard in words: a Markdown table to be pasted into a document, and what a reader has to know of the numbers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from scangen_bundle.measures.feature_measure import FeatureMeasure, feature_measures
from scangen_bundle.report.estimates import text
from scangen_bundle.statistics.estimate import Estimate

LEVELS = {
    "tile": "places are registered fields of view",
    "scan": "tiles do not correspond, so the means of scans are paired",
    "none": "nothing could be paired",
}


def markdown_table(content: Mapping[str, Any], measures: Iterable[FeatureMeasure]) -> str:
    """Values with 95 % intervals, a row per measure; the last column is the baseline, a range where encoders differ in it.

    Args:
        content: of `results.json`.
        measures: those that no encoder has are left out.
    """
    encoders = content["encoders"]
    lines = [["", *encoders, "baseline"], ["---"] * (len(encoders) + 2)]
    for measure in measures:
        estimates = [Estimate.from_json(result["figures"].get(measure.key, {})) for result in encoders.values()]
        if any(estimate.has_value for estimate in estimates):
            lines.append(
                [
                    measure.title,
                    *(text(estimate) for estimate in estimates),
                    _baselines(estimates),
                ]
            )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _baselines(estimates: Sequence[Estimate]) -> str:
    texts = {f"{estimate.baseline:.3f}" for estimate in estimates if math.isfinite(estimate.baseline)}
    ordered = sorted(texts, key=float)
    return " to ".join(dict.fromkeys([ordered[0], ordered[-1]])) if ordered else ""


def what_to_know(content: Mapping[str, Any]) -> list[str]:
    """Sentences for a reader of the tables; what holds for several encoders is said once."""
    encoders_of: dict[str, list[str]] = defaultdict(list)
    for name, result in content["encoders"].items():
        for sentence in _of_encoder(result):
            encoders_of[sentence].append(name)
    sentences = [f"{name} is not measured: {reason}" for name, reason in content["failed"].items()]
    sentences += [f"{', '.join(names)}: {sentence}" for sentence, names in encoders_of.items()]
    sentences += content["warnings"]
    errors = list(content["registration"]["error_um"].values())
    if errors:
        sentences.append(
            f"Registration error: median {np.median(errors):.1f} µm, worst {max(errors):.1f} µm over {len(errors)} specimens "
            "(matched points that the fit did not see; the worst scan of each specimen)."
        )
    left_out = content["registration"]["left_out"]
    return sentences + [f"Specimen {name} is not paired: {reason}." for name, reason in left_out.items()]


def _of_encoder(result: Mapping[str, Any]) -> Iterator[str]:
    counts = result["counts"]
    yield (
        f"{counts['specimens']} specimens of {counts['patients']} patients, {counts['scanners']} scanners, "
        f"{counts['tiles']:,} tiles, {counts['places']:,} places; {LEVELS[result['level']]}."
    )
    yield from result["warnings"]
    for slide, reason in result["left_out"].items():
        yield f"{slide} is left out: {reason}"
    measures = feature_measures()
    estimates = {
        measures[key].title: Estimate.from_json(entry) for key, entry in result["figures"].items() if key in measures
    }
    for note, titles in _titles_by({title: e.note for title, e in estimates.items()}).items():
        yield f"{', '.join(titles)}: {note}."
    reasons = {title: estimate.reason for title, estimate in estimates.items()}
    of_intervals = {title: e.interval_reason for title, e in estimates.items() if e.has_value}
    for problem, by_title in (("undefined", reasons), ("no interval", of_intervals)):
        for reason, titles in _titles_by(by_title).items():
            which = "all measures" if len(titles) == len(estimates) else ", ".join(titles)
            yield f"{problem} ({reason}): {which}."


def _titles_by(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Titles that have a text, by that text."""
    titles: dict[str, list[str]] = defaultdict(list)
    for title, sentence in texts.items():
        if sentence:
            titles[sentence].append(title)
    return titles
