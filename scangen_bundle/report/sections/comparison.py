"""Two models on the same scans, before and after: what changed, by how much, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scangen_bundle.measures.per_pair import pair_name
from scangen_bundle.measures.predictions import BETWEEN
from scangen_bundle.report.estimates import comparison_of, estimate
from scangen_bundle.report.figures import estimates_figure, score_scatter
from scangen_bundle.report.page import Cell, Column, Findings, Group, Panel, Row, Section, Table, drawn, undefined
from scangen_bundle.report.scores import specimen_scores
from scangen_bundle.report.sections.agreement import drawn_pairs, drawn_pairs_note
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.words import headline_keys, title_of
from scangen_bundle.statistics.compare import Comparison
from scangen_bundle.statistics.estimate import Estimate


def comparison_section(
    comparison: Mapping[str, Any], names: tuple[str, str], contexts: tuple[Context, Context]
) -> Section:
    """Findings, figures and a table of every difference.

    Args:
        comparison: what `metrics.compare_predictions` gave.
        names: of the first and the second model.
        contexts: of both, over the same scans.
    """
    sentences = findings(comparison, names)
    panels = _figures(comparison, names, contexts)
    blocks: list[Table | Group | Findings] = [Findings(sentences)]
    blocks.append(Group("Before and after", panels, "First model before, second after."))
    blocks.append(_table(comparison, names, contexts[0]))
    return Section("comparison", f"{names[1]} compared with {names[0]}", blocks)


def findings(comparison: Mapping[str, Any], names: tuple[str, str]) -> list[str]:
    """A sentence for each headline and summary value; what the data cannot tell apart is called so."""
    keys = dict.fromkeys([*headline_keys(comparison), *headline_keys(comparison, "summary")])
    return [_sentence(comparison, key, names) for key in keys if key in comparison["figures"]]


def _sentence(comparison: Mapping[str, Any], key: str, names: tuple[str, str]) -> str:
    both = comparison_of(comparison, key)
    change = both.difference
    title = title_of(comparison, key)
    if not change.has_value:
        return f"{title}: the difference is undefined: {change.reason}."
    if not change.has_interval:
        return f"{title}: difference {change.value:+.3f}, without an interval: {change.interval_reason}."
    values = f"{both.first:.3f} ({names[0]}) to {both.second:.3f} ({names[1]})"
    difference = f"difference {change.value:+.3f} (95 % CI {change.low:+.3f} to {change.high:+.3f})"
    verdict = _verdict(both, comparison["definitions"][key.partition("/")[0]]["better"], names)
    caution = f" The interval is too narrow: {change.note}." if change.note else ""
    return f"{title}: {values}, {difference}. {verdict}{caution}"


def _verdict(both: Comparison, better: str, names: tuple[str, str]) -> str:
    if both.difference.low <= 0 <= both.difference.high or both.p_value >= 0.05:
        return f"These patients do not tell the two apart{_p_text(both.p_value)}."
    gain = both.difference.value if better == "higher" else -both.difference.value
    return f"On these patients {names[1] if gain > 0 else names[0]} is better{_p_text(both.p_value)}."


def _p_text(value: float) -> str:
    return "" if math.isnan(value) else f" (p {'< 0.001' if value < 0.001 else f'= {value:.3f}'})"


def _table(comparison: Mapping[str, Any], names: tuple[str, str], context: Context) -> Table:
    order = list(comparison["definitions"])
    keys = [key for key in comparison["figures"] if BETWEEN not in key]  # pairs are many, and in comparison.json
    keys.sort(key=lambda key: order.index(key.partition("/")[0]))
    defined = [key for key in keys if comparison_of(comparison, key).difference.has_value]
    rows = [_row(comparison, key, context) for key in defined]
    notes = [
        "Both models are evaluated on the same resamples of patients. Difference: second minus first, second line: 95 % "
        "confidence interval. Effect: difference in its standard errors. Holm: corrected within a metric over its scanners."
    ]
    notes += _undefined_notes(comparison, keys)
    columns = [
        Column("metric"),
        Column(names[0]),
        Column(names[1]),
        Column("difference"),
        Column("effect", "difference in its standard errors"),
        Column("p", "two-sided, from the resamples"),
        Column("p, Holm", "corrected within a metric over its scanners"),
    ]
    return Table("comparison-figures", "Every difference", columns, rows, notes)


def _undefined_notes(comparison: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """A sentence for each reason why differences are undefined, with the metrics that it concerns."""
    titles: dict[str, list[str]] = {}
    for key in keys:
        change = comparison_of(comparison, key).difference
        if not change.has_value:
            name = key.partition("/")[0]
            titles.setdefault(change.reason, []).append(comparison["definitions"].get(name, {}).get("title", name))
    return [f"Undefined, {reason}: {', '.join(dict.fromkeys(names))}." for reason, names in titles.items()]


def _row(comparison: Mapping[str, Any], key: str, context: Context) -> Row:
    both, p_holm = comparison_of(comparison, key), comparison["figures"][key]["p_holm"]
    change, reason = both.difference, both.difference.reason
    star = " *" if key.partition("/")[2] in context.unseen else ""
    effect = Cell("", kind="undefined") if math.isnan(both.effect) else Cell(f"{both.effect:+.1f}", both.effect)
    return Row(
        [
            Cell(title_of(comparison, key) + star),
            _number(both.first, reason),
            _number(both.second, reason),
            _difference(change),
            effect,
            _p_value(both.p_value),
            _p_value(math.nan if p_holm is None else p_holm),
        ]
    )


def _difference(change: Estimate) -> Cell:
    if not change.has_value:
        return Cell("undefined", None, change.reason, "undefined")
    interval = f"{change.low:+.3f} to {change.high:+.3f}" if change.has_interval else change.interval_reason
    return Cell(f"{change.value:+.3f}", change.value, f"{interval}, too narrow" if change.note else interval)


def _number(value: float, reason: str) -> Cell:
    return Cell("undefined", None, reason, "undefined") if math.isnan(value) else Cell(f"{value:.3f}", value)


def _p_value(value: float) -> Cell:
    if math.isnan(value):
        return Cell("", None, "", "undefined")
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", value)


def _figures(comparison: Mapping[str, Any], names: tuple[str, str], contexts: tuple[Context, Context]) -> list[Panel]:
    context = contexts[0]
    keys = [*(f"auroc/{scanner}" for scanner in context.drawn_scanners), "auroc/mean"]
    rows = [*map(context.name, context.drawn_scanners), "mean of scanners"]
    figure = estimates_figure(rows, _of_both(names, contexts, keys), "AUROC with 95 % confidence interval")
    changes = {names[1]: [comparison_of(comparison, key).difference for key in keys]}
    change = estimates_figure(rows, changes, "change of AUROC with 95 % interval", reference=0.0)
    panels = [
        drawn("comparison-auroc", "AUROC, before and after", "AUROC per scanner of both models", figure),
        drawn("comparison-difference", "Change of AUROC", "Change of AUROC per scanner", change),
    ]
    if pairs := drawn_pairs(context):
        keys = ["flip_rate", *(f"flip_rate/{pair_name(*sorted(pair))}" for pair in pairs)]
        rows = ["any scanners", *(f"{context.name(a)}\n{context.name(b)}" for a, b in pairs)]
        flips = estimates_figure(rows, _of_both(names, contexts, keys), "flip rate with 95 % confidence interval")
        title = f"Specimens whose class changes with the scanner.{drawn_pairs_note(context)}".removesuffix(".")
        panels.append(drawn("comparison-flips", title, "Flip rate per pair of scanners of both models", flips))
    return panels + [_spread_panel(contexts, names, name, len(panels) + i) for i, name in enumerate(context.views)]


def _of_both(
    names: tuple[str, str], contexts: tuple[Context, Context], keys: Sequence[str]
) -> dict[str, list[Estimate]]:
    return {name: [estimate(each.metrics, key) for key in keys] for name, each in zip(names, contexts, strict=True)}


def _spread_panel(contexts: tuple[Context, Context], names: tuple[str, str], class_name: str, number: int) -> Panel:
    spread = _spreads(contexts, class_name)
    key, title = f"comparison-spread-{number}", f"Spread of each specimen's scores, {class_name}"
    if spread.empty:
        return undefined(key, title, "No specimen has scores on two scanners.")
    figure = score_scatter(spread, names, contexts[0].class_names, quantity="score range")
    return drawn(key, title, "Score range of each specimen over its scanners with both models", figure)


def _spreads(contexts: tuple[Context, Context], class_name: str) -> pd.DataFrame:
    """Largest minus smallest score of each specimen with both models, and its label."""
    ranges = []
    for context in contexts:
        scores = specimen_scores(context.views[class_name], context.scanners)
        scores = scores[scores.notna().sum(axis=1) > 1]
        ranges.append(scores.max(axis=1) - scores.min(axis=1))
    label = contexts[0].views[class_name].drop_duplicates("specimen_id").set_index("specimen_id")["label"]
    table = pd.DataFrame({"first": ranges[0], "second": ranges[1]}).dropna()
    return table.assign(label=label.reindex(table.index))
