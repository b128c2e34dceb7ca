"""Measures of an encoder's features: one file each below `of_features/`, or a plugin's, entered in one registry.

@feature_measure(FeatureMeasure("norm", "length of vectors", "", "Mean length of a scan's mean vector.", group="Mine"))
def norm(features: FeatureViews) -> Measured:
    scans = features.scans
    lengths = np.linalg.norm(scans.values, axis=1)
    statistic = MeanOfRatios("norm", lengths, np.ones(len(lengths)), scans.patient, scans.patients)
    return Measured([statistic], scans.patients, rows=len(lengths))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from scangen_bundle.measures.measure import Measure
from scangen_bundle.registry import Registry
from scangen_bundle.statistics.bootstrap import Statistic

if TYPE_CHECKING:
    from scangen_bundle.measures.feature_views import FeatureViews

AT = "@"  # `<measure>@<detail>`: the measure on one scanner, or at one number of neighbours
PAIRED = "Paired: the same tissue on two scanners"
STAINS = "Pairs of slides that differ in scanner, stain or both, as plism-benchmark groups them"
UNPAIRED = "Unpaired: what the features know"
DOWNSTREAM = "Downstream: one MIL head, trained on each encoder's features"
GROUPS = (PAIRED, STAINS, UNPAIRED, DOWNSTREAM)  # in the order of the page; other groups follow
SHUFFLED = "places of each scanner shuffled"
CHANCE = "chance, 1 / classes"


@dataclass(frozen=True)
class Measured:
    """A measure's result on one encoder's features.

    Attributes:
        statistics: of the patients' weights, with the measures' keys; `<key>@<detail>` for single scanners (their names) and
            for numbers of neighbours.
        patients: P, the number of weights.
        rows: rows of the longest table that a statistic looks weights up for, which bounds memory.
        baselines: by key; that of `<key>` also serves `<key>@<detail>`.
        notes: what a reader has to know, by key.
        exact: intervals of values that no resample can move, by key.
        pairs: values of single pairs of scanners, by key and "<scanner> | <scanner>".
        strata: [P] within which patients are drawn; None: all are one stratum.
        names: keys of the statistics that are called otherwise, by theirs.
    """

    statistics: Sequence[Statistic]
    patients: int
    rows: int = 0
    baselines: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    exact: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    pairs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    strata: np.ndarray | None = None
    names: Mapping[str, str] = field(default_factory=dict)


Compute = Callable[["FeatureViews"], Measured]


@dataclass(frozen=True)
class FeatureMeasure(Measure):
    """A measure of features: its words, its place on the leaderboard, and how it is computed.

    Attributes:
        by: "" for one value; "scanner" for one per scanner; "k" for one per number of neighbours, of which the benchmark
            takes the same for all encoders.
        position: order within the group's table.
        overview: its place in the first table, 0: it is not there.
        scatter: axis of the plot of robustness against task performance.
        heatmap: whether its values of pairs of scanners are drawn.
        beside_colour: whether the value of colour statistics stands beside it.
        of_embeddings: whether a run's evaluation computes it of the network's slide embeddings, too.
        compute: set by `feature_measure`; may be shared by several measures, and is then called once.
    """

    by: Literal["", "scanner", "k"] = ""
    position: int = 100
    overview: int = 0
    scatter: Literal["", "robustness", "task"] = ""
    heatmap: bool = False
    beside_colour: bool = False
    of_embeddings: bool = False
    compute: Compute | None = None


_REGISTERED: Registry[FeatureMeasure] = Registry("measure of features", package="scangen_bundle.measures.of_features")


def feature_measure(*measures: FeatureMeasure) -> Callable[[Compute], Compute]:
    """Decorator that registers the measures which a function computes.

    The function raises `UndefinedMeasure` where none of them has a value on these features.

    Raises:
        InputError: a key is taken.
    """

    def enter(compute: Compute) -> Compute:
        for measure in measures:
            _REGISTERED.add(measure.key, replace(measure, compute=compute))
        return compute

    return enter


def feature_measures() -> dict[str, FeatureMeasure]:
    """All measures by key, in the order of the page: by group, position, and key."""
    registered = list(_REGISTERED.values())
    groups = list(dict.fromkeys([*GROUPS, *(measure.group for measure in registered)]))
    registered.sort(key=lambda measure: (groups.index(measure.group), measure.position, measure.key))
    return {measure.key: measure for measure in registered}


def overview_measures() -> list[FeatureMeasure]:
    """The measures of the leaderboard's first table, in its order."""
    chosen = [measure for measure in feature_measures().values() if measure.overview]
    return sorted(chosen, key=lambda measure: measure.overview)
