"""From the results of the cells to the outcome of the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from scangen_bundle.studies.advice import advise
from scangen_bundle.studies.figures import resample
from scangen_bundle.studies.models import choose_strengths, pool_models
from scangen_bundle.studies.outcome import MethodFacts, SchemeOutcome, StudyOutcome, method_facts
from scangen_bundle.studies.plan import Cell, Plan, Scheme, Split, Strength
from scangen_bundle.studies.results import CellResult
from scangen_bundle.studies.table import Row, tabulate


@dataclass(frozen=True)
class Analysis:
    """How the results are looked at; it changes no training.

    Attributes:
        choose_by: rule of choice, see `choice.RULES`.
        compare_rules: further rules; each gets a leaderboard of its own.
        references: methods that every other is compared with.
        resamples: of the patients.
        seed: of the resamples.
    """

    choose_by: str = "nll"
    compare_rules: tuple[str, ...] = ("one_se",)
    references: tuple[str, ...] = ("plain", "scangen")
    resamples: int = 2000
    seed: int = 0

    @property
    def rules(self) -> tuple[str, ...]:
        """All rules, each once."""
        return tuple(dict.fromkeys([self.choose_by, *self.compare_rules]))


@dataclass(frozen=True)
class StudyResults:
    """What there is of a study.

    Attributes:
        plan: of the study.
        manifest: all scans.
        never_train: scanners that no cell trains on.
        cells: results.
        failed: why cells have none.
    """

    plan: Plan
    manifest: pd.DataFrame
    never_train: tuple[str, ...]
    cells: Sequence[CellResult]
    failed: Mapping[Cell, str]

    def chosen(self, rule: str) -> dict[tuple[str, Split], Strength]:
        """The strength of each method that the first seed's validation chooses for each split."""
        first = [result for result in self.cells if result.cell.seed == self.plan.seeds[0]]
        return choose_strengths(first, self.manifest, rule)

    def with_chosen(self, rule: str) -> list[CellResult]:
        """Results of the chosen strengths."""
        chosen = self.chosen(rule)
        return [
            result
            for result in self.cells
            if chosen.get((result.cell.method, result.cell.split)) == result.cell.strength
        ]


def analyse(
    results: StudyResults, analysis: Analysis, methods: Mapping[str, tuple[str, str]], settings: Mapping[str, str]
) -> StudyOutcome:
    """Tables, advice and facts of a study.

    Args:
        results: of its cells.
        analysis: how to look at them.
        methods: by name, what the method is and what it needs, in words.
        settings: of the study, for the page.
    """
    needs = {name: words for name, (_, words) in methods.items()}
    schemes = [_scheme_outcome(results, scheme, analysis, needs) for scheme in results.plan.schemes]
    return StudyOutcome(
        schemes,
        [_facts(results, name, analysis, *methods[name]) for name in results.plan.methods],
        settings,
        analysis.choose_by,
        results.plan.size(),
        len(results.cells),
    )


def _scheme_outcome(
    results: StudyResults, scheme: Scheme, analysis: Analysis, needs: Mapping[str, str]
) -> SchemeOutcome:
    rows = _rows(results, scheme, analysis.choose_by, analysis)
    # Under another rule other strengths may be chosen, of which only the first seed was trained: without a grid all are there.
    by_rule = {rule: _rows(results, scheme, rule, analysis) for rule in analysis.rules if rule != analysis.choose_by}
    return SchemeOutcome(
        scheme,
        rows,
        advise(rows, needs),
        {name: reason for (name, of), reason in results.plan.left_out.items() if of == scheme.name},
        {cell.key: reason for cell, reason in results.failed.items() if cell.split.scheme == scheme.name},
        {rule: of_rule for rule, of_rule in by_rule.items() if of_rule},
    )


def _rows(results: StudyResults, scheme: Scheme, rule: str, analysis: Analysis) -> list[Row]:
    models = pool_models(results.with_chosen(rule), results.manifest, results.plan, scheme, rule)
    if not models:
        return []
    samples = resample(models, results.never_train, analysis.resamples, analysis.seed)
    return tabulate(samples, analysis.references, len(scheme.hold_out) * len(results.plan.seeds))


def _facts(results: StudyResults, name: str, analysis: Analysis, title: str, needs: str) -> MethodFacts:
    chosen = [strength for (method, _), strength in results.chosen(analysis.choose_by).items() if method == name]
    return method_facts(name, title, needs, results.cells, [strength_in_words(strength) for strength in chosen])


def strength_in_words(strength: Strength) -> str:
    """Such as `weight 10`; "" for the defaults."""
    return ", ".join(f"{option} {value}" for _, option, value in strength)
