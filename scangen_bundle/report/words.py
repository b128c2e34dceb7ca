"""What keys are called: titles and scopes of measures, from the definitions that an evaluation wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scangen_bundle.measures.predictions import BETWEEN, RESERVED

AGGREGATES = {
    "mean": "mean of scanners",
    "worst": "worst scanner",
    "range": "range",
    "mean_seen": "mean, seen in training",
    "mean_unseen": "mean, unseen *",
}


def measures_of(metrics: Mapping[str, Any], group: str) -> list[str]:
    """Keys of a group's measures, in the order of the page."""
    return [key for key, words in metrics["definitions"].items() if words["group"] == group]


def has_scanners(metrics: Mapping[str, Any], name: str) -> bool:
    """Whether a measure has a value per scanner."""
    return any(f"{name}/{scanner}" in metrics["figures"] for scanner in metrics["cohort"]["scanners"])


def pair_scopes(metrics: Mapping[str, Any]) -> list[str]:
    """Pairs of scanners that have values of their own, as they are written in keys."""
    scopes = [key.partition("/")[2] for key in metrics["figures"]]
    return list(dict.fromkeys(scope for scope in scopes if BETWEEN in scope))


def headline_keys(metrics: Mapping[str, Any], place: str = "headline") -> list[str]:
    """Keys of the values, without those of single scanners, that a place shows: "headline" or "summary"."""
    return [
        f"{name}/{scope}" if scope else name
        for name, words in metrics["definitions"].items()
        for scope in words[place]
        if scope != "scanner"
    ]


def scanner_measures(metrics: Mapping[str, Any], *places: str) -> list[str]:
    """Measures whose value on each scanner one of the places shows: "headline" or "summary"."""
    definitions = metrics["definitions"]
    return [name for name, words in definitions.items() if any("scanner" in words[place] for place in places)]


def title_of(metrics: Mapping[str, Any], key: str) -> str:
    """A key in words, such as `AUROC, mean over scanners`."""
    name, _, scope = key.partition("/")
    of_pairs = not has_scanners(metrics, name)
    member = "pair of scanners" if of_pairs else "scanner"
    members = "pairs of scanners" if of_pairs else "scanners"
    scopes = {
        "mean": f"mean over {members}",
        "worst": f"worst {member}",
        "range": f"range over {members}",
        "mean_seen": "mean over scanners seen in training",
        "mean_unseen": "mean over unseen scanners",
    }
    title = metrics["definitions"].get(name, {}).get("title", name)
    return f"{title}, {scopes.get(scope, scope)}" if scope else title


def column_title(metrics: Mapping[str, Any], key: str) -> str:
    """A short head for the headline table's column, such as `mean AUROC`, `worst scanner`, `flip rate`."""
    name, _, scope = key.partition("/")
    title = metrics["definitions"].get(name, {}).get("title", name)
    if scope == "worst":
        return "worst scanner"
    if scope in RESERVED:
        return f"{scope.replace('_', ' ')} {title}"
    is_word = title[1:].islower()
    return title[0].lower() + title[1:] if is_word else title
