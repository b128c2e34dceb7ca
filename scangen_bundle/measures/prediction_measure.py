"""Measures of predictions: one file each below `of_predictions/`, or a plugin's, entered in one registry.

    @prediction_measure(key="ppv", title="PPV", better="higher", help="share of true positives among ...", group=DISCRIMINATION)
    class PositivePredictiveValue(PerScanner):
        def columns(self, scans): ...
        def value(self, scans, sums): ...

A measure is made of `PredictionData` and is a statistic of patients' weights. `PerScanner`, `PerSpecimen` and `PerPair` do all
but the formula; any other callable from `PredictionData` to a `statistics.bootstrap.Statistic` serves as well, if its keys are
`<key>` or `<key>/<scope>`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from scangen_bundle.measures.measure import Measure
from scangen_bundle.registry import Registry
from scangen_bundle.statistics.estimate import NAN

if TYPE_CHECKING:
    from scangen_bundle.measures.prediction_data import PredictionData
    from scangen_bundle.statistics.bootstrap import Statistic

DISCRIMINATION, CALIBRATION, AGREEMENT, PAIRS = "discrimination", "calibration", "agreement", "pairs"
GROUPS = (DISCRIMINATION, CALIBRATION, AGREEMENT, PAIRS)  # in the order of the page; other groups follow
SCANNER, OVERALL = "scanner", ""  # scopes that are no aggregate: each scanner by its name, and the value as a whole

Make = Callable[["PredictionData"], "Statistic"]
Declared = TypeVar("Declared", bound=Make)


@dataclass(frozen=True)
class PredictionMeasure(Measure):
    """A measure of predictions: its words, its places, and how it is computed.

    Attributes:
        position: order within its group.
        headline: scopes that the headline table shows: "scanner" (a column for each), "mean", "worst", "range", "mean_seen",
            "mean_unseen", or "" for a value that has no scope.
        summary: scopes that shorter lists show besides: the terminal, the sentences of a comparison, a packed bundle.
        two_classes_only: whether it does not exist with more than two classes.
        without_interval: why its values have no interval; "" where they have one.
        chance: the value that guessing gives; NaN where there is none.
        make: set by `prediction_measure`.
    """

    position: int = 100
    headline: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    two_classes_only: bool = False
    without_interval: str = ""
    chance: float = NAN
    make: Make | None = None

    def to_json(self) -> dict[str, Any]:
        """The words and places, without what computes it."""
        words = asdict(replace(self, make=None))
        del words["make"], words["key"], words["chance"]
        return {**words, "headline": list(self.headline), "summary": list(self.summary)}


_REGISTERED: Registry[PredictionMeasure] = Registry("measure", package="scangen_bundle.measures.of_predictions")


def prediction_measure(**words: Any) -> Callable[[Declared], Declared]:
    """Decorator that registers a measure; see `PredictionMeasure` for the arguments.

    Raises:
        InputError: the key is taken.
    """

    def enter(make: Declared) -> Declared:
        measure = PredictionMeasure(**words, make=make)
        _REGISTERED.add(measure.key, measure)
        make.key = measure.key  # type: ignore[attr-defined]
        return make

    return enter


def prediction_measures() -> dict[str, PredictionMeasure]:
    """All measures by key, in the order of the page: by group, position, and key."""
    groups = list(dict.fromkeys([*GROUPS, *(measure.group for measure in _REGISTERED.values())]))

    def place(measure: PredictionMeasure) -> tuple[int, int, str]:
        return groups.index(measure.group), measure.position, measure.key

    return {measure.key: measure for measure in sorted(_REGISTERED.values(), key=place)}


def find_measure(key: str) -> PredictionMeasure:
    """The measure called `key`.

    Raises:
        InputError: there is none; the message names those that exist.
    """
    return _REGISTERED[key]
