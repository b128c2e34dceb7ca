"""Two models on the same scans, before and after: what changed, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from scangen_bundle.measures.agreement import pair_name
from scangen_bundle.report.estimates import Estimate, estimate
from scangen_bundle.report.figures import estimates_figure, score_scatter
from scangen_bundle.report.page import Cell, Column, Findings, Group, Panel, Row, Section, Table, drawn, undefined
from scangen_bundle.report.scores import specimen_scores
from scangen_bundle.report.sections.context import Context

HEADLINE = ("auroc/mean", "auroc/worst", "cov", "flip_rate", "icc")


def comparison_section(
    comparison: Mapping[str, Any], names: tuple[str, str], contexts: tuple[Context, Context]
) -> Section:
    """Findings, figures and a table of every difference.

    Args:
        comparison: what `metrics.compare_predictions` gave.
        names: of the first and the second model.
        contexts: of both, over the same scans.
    """
    scanners = contexts[0].scanners
    blocks: list[Table | Group | Findings] = [Findings(findings(comparison, names))]
    blocks.append(Group("Before and after", _figures(comparison, names, contexts), "First model before, second after."))
    blocks.append(_table(comparison, names, scanners, contexts[0]))
    return Section("comparison", f"{names[1]} compared with {names[0]}", blocks)


def findings(comparison: Mapping[str, Any], names: tuple[str, str]) -> list[str]:
    """A sentence for each headline figure; what the data cannot tell apart is called so."""
    result = []
    for key in HEADLINE:
        entry = comparison["figures"].get(key)
        if entry is None:
            continue
        title = title_of(comparison, key)
        if entry["difference"] is None:
            result.append(f"{title}: the difference is undefined: {entry['reason']}.")
            continue
        if entry["low"] is None:
            result.append(f"{title}: difference {entry['difference']:+.3f}, without an interval: {entry['reason']}.")
            continue
        verdict = _verdict(entry, comparison["definitions"][key.partition("/")[0]]["better"], names)
        result.append(
            f"{title}: {entry['first']:.3f} ({names[0]}) to {entry['second']:.3f} ({names[1]}), difference "
            f"{entry['difference']:+.3f} (95 % CI {entry['low']:+.3f} to {entry['high']:+.3f}). {verdict}{_caution(entry)}"
        )
    return result


def _caution(entry: Mapping[str, Any]) -> str:
    return f" The interval is too narrow: {entry['caution']}." if entry.get("caution") else ""


def _verdict(entry: Mapping[str, Any], better: str, names: tuple[str, str]) -> str:
    if entry["low"] <= 0 <= entry["high"] or (entry["p_value"] is not None and entry["p_value"] >= 0.05):
        return f"These patients do not tell the two apart{_p_text(entry['p_value'])}."
    gain = entry["difference"] if better == "higher" else -entry["difference"]
    return f"On these patients {names[1] if gain > 0 else names[0]} is better{_p_text(entry['p_value'])}."


def _p_text(value: float | None) -> str:
    return "" if value is None else f" (p {'< 0.001' if value < 0.001 else f'= {value:.3f}'})"


def title_of(comparison: Mapping[str, Any], key: str) -> str:
    """A key in words, such as `AUROC, mean over scanners`."""
    name, _, scope = key.partition("/")
    member = "pair of scanners" if name in ("ccc", "cohen_kappa") else "scanner"
    members = member.replace("pair", "pairs") if "pair" in member else f"{member}s"
    scopes = {"mean": f"mean over {members}", "worst": f"worst {member}", "range": f"range over {members}"}
    scopes |= {"mean_seen": "mean over scanners seen in training", "mean_unseen": "mean over unseen scanners"}
    title = comparison["definitions"].get(name, {}).get("title", name)
    return f"{title}, {scopes.get(scope, scope)}" if scope else title


def _table(comparison: Mapping[str, Any], names: tuple[str, str], scanners: Sequence[str], context: Context) -> Table:
    rows = []
    order = list(comparison["definitions"])
    for key in sorted(comparison["figures"], key=lambda key: order.index(key.partition("/")[0])):
        if " vs " in key:
            continue  # pairs are many, and in comparison.json
        entry = comparison["figures"][key]
        reason = entry["reason"] or ""
        low, high = entry["low"], entry["high"]
        interval = "" if low is None else f"{low:+.3f} to {high:+.3f}"
        title = title_of(comparison, key)
        unseen = key.partition("/")[2] in context.unseen
        rows.append(
            Row(
                [
                    Cell(f"{title} *" if unseen else title),
                    _number(entry["first"], reason),
                    _number(entry["second"], reason),
                    Cell("undefined", None, reason, "undefined")
                    if entry["difference"] is None
                    else Cell(
                        f"{entry['difference']:+.3f}",
                        entry["difference"],
                        f"{interval}, too narrow" if entry.get("caution") else interval or reason,
                    ),
                    Cell("", kind="undefined")
                    if entry["effect"] is None
                    else Cell(f"{entry['effect']:+.1f}", entry["effect"]),
                    _p_value(entry["p_value"]),
                    _p_value(entry["p_holm"]),
                ]
            )
        )
    notes = [
        "Both models are evaluated on the same resamples of patients. Difference: second minus first, second line: 95 % "
        "confidence interval. Effect: difference in its standard errors. Holm: corrected within a figure over its scanners."
    ]
    columns = [
        Column("figure"),
        Column(names[0]),
        Column(names[1]),
        Column("difference"),
        Column("effect", "difference in its standard errors"),
        Column("p", "two-sided, from the resamples"),
        Column("p, Holm", "corrected within a figure over its scanners"),
    ]
    return Table("comparison-figures", "Every difference", columns, rows, notes)


def _number(value: float | None, reason: str) -> Cell:
    return Cell("undefined", None, reason, "undefined") if value is None else Cell(f"{value:.3f}", value)


def _p_value(value: float | None) -> Cell:
    if value is None:
        return Cell("", None, "", "undefined")
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", value)


def _figures(comparison: Mapping[str, Any], names: tuple[str, str], contexts: tuple[Context, Context]) -> list[Panel]:
    context = contexts[0]
    keys = [*(f"auroc/{scanner}" for scanner in context.scanners), "auroc/mean"]
    rows = [*(context.name(scanner) for scanner in context.scanners), "mean of scanners"]

    def of_both(keys: Sequence[str]) -> dict[str, list[Estimate]]:
        return {name: [estimate(each.metrics, key) for key in keys] for name, each in zip(names, contexts, strict=True)}

    differences = {names[1]: [estimate(comparison, key) for key in keys]}
    figure = estimates_figure(rows, of_both(keys), "AUROC with 95 % confidence interval")
    change = estimates_figure(rows, differences, "change of AUROC with 95 % interval", reference=0.0)
    panels = [
        drawn("comparison-auroc", "AUROC, before and after", "AUROC per scanner of both models", figure),
        drawn("comparison-difference", "Change of AUROC", "Change of AUROC per scanner", change),
    ]
    if pairs := list(combinations(sorted(context.scanners), 2)):
        keys = ["flip_rate", *(f"flip_rate/{pair_name(*pair)}" for pair in pairs)]
        rows = ["any scanners", *(f"{context.name(a)}\n{context.name(b)}" for a, b in pairs)]
        flips = estimates_figure(rows, of_both(keys), "flip rate with 95 % confidence interval")
        title = "Specimens whose class changes with the scanner"
        panels.append(drawn("comparison-flips", title, "Flip rate per pair of scanners of both models", flips))
    for class_name in context.views:
        spread = _spreads(contexts, class_name)
        key = f"comparison-spread-{len(panels)}"
        title = f"Spread of each specimen's scores, {class_name}"
        if spread.empty:
            panels.append(undefined(key, title, "No specimen has scores on two scanners."))
            continue
        shown = score_scatter(spread, names, context.class_names, quantity="score range")
        panels.append(drawn(key, title, "Score range of each specimen over its scanners with both models", shown))
    return panels


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
