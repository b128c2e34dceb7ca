"""What a study found, as one value: its tables, what was left out, failed and spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from scangen_bundle.studies.advice import Advice
from scangen_bundle.studies.plan import Scheme
from scangen_bundle.studies.results import CellResult
from scangen_bundle.studies.table import Row


@dataclass(frozen=True)
class MethodFacts:
    """What a method is, and what it takes.

    Attributes:
        method: its name.
        title: one line.
        needs: what it cannot do without, in words; "" where that is nothing.
        cells: trained.
        seconds: median of a cell; NaN where none was trained.
        parameters: trained numbers of network and method.
        strengths: how often validation chose each strength, most often first, in words; "" without a choice.
    """

    method: str
    title: str
    needs: str
    cells: int
    seconds: float
    parameters: int
    strengths: str = ""


@dataclass(frozen=True)
class SchemeOutcome:
    """The answer to one question of the study.

    Attributes:
        scheme: the question.
        rows: of the leaderboard; empty where no method has a whole model.
        advice: what to do.
        left_out: why a method took no part, by method.
        failed: why a cell has no result, by the cell's key.
        by_rule: by rule of choice, the rows under that rule; of the rules that the study compares.
    """

    scheme: Scheme
    rows: Sequence[Row]
    advice: Advice
    left_out: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    by_rule: Mapping[str, Sequence[Row]] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyOutcome:
    """All that the page and the tables show.

    Attributes:
        schemes: the questions with their answers.
        methods: facts of each method.
        settings: of the study, by name, for the page.
        choose_by: the rule of choice.
        cells: number of cells that the plan has.
        done: of these, how many have a result.
    """

    schemes: Sequence[SchemeOutcome]
    methods: Sequence[MethodFacts]
    settings: Mapping[str, str]
    choose_by: str
    cells: int
    done: int


def method_facts(
    method: str, title: str, needs: str, results: Iterable[CellResult], chosen: Sequence[str]
) -> MethodFacts:
    """Facts of one method from its cells.

    Args:
        method, title, needs: see `MethodFacts`.
        results: of all cells of the study.
        chosen: the strength that validation chose for each split, in words.
    """
    costs = [result.cost for result in results if result.cell.method == method]
    seconds = float(np.median([cost.seconds for cost in costs])) if costs else float("nan")
    parameters = max((cost.parameters for cost in costs), default=0)
    counts = sorted({strength: chosen.count(strength) for strength in chosen if strength}.items(), key=_by_count)
    words = ", ".join(f"{strength} ({count}x)" for strength, count in counts)
    return MethodFacts(method, title, needs, len(costs), seconds, parameters, words)


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]
