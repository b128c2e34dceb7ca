"""Which methods can take part in which scheme, with the reason where one cannot, before any training."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from scangen_bundle.data import check_needs, training_scans
from scangen_bundle.errors import InputError
from scangen_bundle.methods import Method, Needs, create_method
from scangen_bundle.studies.plan import Plan, Strength, grid_strengths
from scangen_bundle.studies.scans import SplitRules, split_scans

Options = Mapping[str, Mapping[str, Any]]
Grids = Mapping[str, Sequence[Mapping[str, Any]]]


def make_method(name: str, options: Options) -> Method:
    """A method, or several joined by `+`, with those of the options that are theirs.

    Raises:
        InputError: no method has the name, or an option is wrong.
    """
    return create_method(name, options_of(name, options))


def options_of(name: str, options: Options) -> dict[str, dict[str, Any]]:
    """The options of a method, or of each one of several joined by `+`."""
    members = name.split("+")
    return {member: dict(options[member]) for member in members if member in options}


def grids_of(names: Sequence[str], grids: Grids, options: Options) -> dict[str, tuple[Strength, ...]]:
    """The strengths that are tried of each method.

    Args:
        names: of the methods.
        grids: by method, the options to try. A method that is not named has its class's `grid`, unless it has options set.
        options: by method, what is set.
    """
    strengths = {}
    for name in names:
        tried: dict[str, Sequence[Mapping[str, Any]]] = {}
        for member in make_method(name, options).members():
            of_class = () if member.name in options else member.grid
            tried[member.name] = grids.get(member.name, of_class)
        strengths[name] = grid_strengths(tried)
    return strengths


def left_out(
    manifest: pd.DataFrame, plan: Plan, rules: SplitRules, options: Options, features_dir: str
) -> dict[tuple[str, str], str]:
    """Why a method takes no part, by (method, name of the scheme)."""
    reasons: dict[tuple[str, str], str] = {}
    methods = {name: make_method(name, options) for name in plan.methods}
    schemes = {scheme.name: scheme for scheme in plan.schemes}
    with _without_warnings():
        for split in plan.splits():
            scans = split_scans(manifest, split, schemes[split.scheme], plan.seeds[0], rules)
            for name, method in methods.items():
                if reason := _unmet(method, scans, features_dir):
                    reasons.setdefault((name, split.scheme), reason)
    return reasons


def check_takes_part(name: str, scans: pd.DataFrame, options: Options, features_dir: str) -> None:
    """Refuse a method whose needs the scans do not meet.

    Args:
        name: of the method.
        scans: the manifest with its column `split` filled.
        options: of the method.
        features_dir: where a scan's bag is, if the manifest does not say.

    Raises:
        InputError: it says what is missing.
    """
    if reason := _unmet(make_method(name, options), scans, features_dir):
        raise InputError(f"method {name}", reason, "give more such scans, or choose another method")


def _unmet(method: Method, scans: pd.DataFrame, features_dir: str) -> str:
    """What a method needs and the scans of a cell do not have; "" where they have it."""
    try:
        check_needs(method, scans)
    except InputError as error:
        return f"{error.where} {error.problem}"
    if method.needs.virtual and not any(scan.virtual for scan in training_scans(scans, features_dir, num_features=0)):
        return f"method {method.name} needs tiles under virtual scanners: run banking makes them"
    if not method.needs.scanner_name:
        return ""
    training = scans[scans["split"] == "train"]
    at_hand = scans["patient_id"].isin(training["patient_id"]) if method.needs.new_scans else scans["split"] == "train"
    tested = scans.loc[scans["split"] == "test", "scanner"]
    if lost := sorted(set(tested) - set(scans.loc[at_hand, "scanner"])):
        return f"method {method.name} needs training patients' scans on every scanner, and {', '.join(lost)} has none"
    return ""


def needs_in_words(needs: Needs) -> str:
    """What a reader has to have, such as "scans of a specimen on several training scanners"; "" where that is nothing."""
    return ", ".join(_needs(needs))


def _needs(needs: Needs) -> Iterator[str]:
    if needs.pairs:
        yield "scans of a specimen on several training scanners"
    if needs.scanner_name:
        yield "the scanner's name of each scan, also in use"
    if needs.new_scans:
        yield "scans of each new scanner"
    if needs.virtual:
        yield "slides, of which some tiles are encoded under virtual scanners"
    if needs.patients_per_scanner > 1:
        yield f"{needs.patients_per_scanner} patients of each scanner"


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Inside, what is checked for each cell is not also logged for each cell."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
