"""The leaderboard as text: a Markdown table, and sentences that explain its numbers."""

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
            lines.append([measure.title, *map(text, estimates), _baselines(estimates)])
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
    notes, reasons, of_intervals = defaultdict(list), defaultdict(list), defaultdict(list)
    count = 0
    for key, entry in result["figures"].items():
        if key not in measures:
            continue
        count += 1
        estimate, title = Estimate.from_json(entry), measures[key].title
        notes[estimate.note].append(title)
        reasons[estimate.reason].append(title)
        if estimate.has_value:
            of_intervals[estimate.interval_reason].append(title)
    for note, titles in notes.items():
        if note:
            yield f"{', '.join(titles)}: {note}."
    for problem, titles_of in (("undefined", reasons), ("no interval", of_intervals)):
        for reason, titles in titles_of.items():
            if reason:
                which = "all measures" if len(titles) == count else ", ".join(titles)
                yield f"{problem} ({reason}): {which}."
