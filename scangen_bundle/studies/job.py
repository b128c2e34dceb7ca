"""`run studying`: plan the cells, train those that have no result, and write tables and page."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.errors import InputError
from scangen_bundle.files import check_writable
from scangen_bundle.locks import lock_file
from scangen_bundle.plugins import load_plugins
from scangen_bundle.runs import TrackingSettings
from scangen_bundle.studies.analysis import Analysis, StudyResults, analyse
from scangen_bundle.studies.cell import CellOutcome, run_cell
from scangen_bundle.studies.design import Design, Training
from scangen_bundle.studies.engine import ENGINES, WorkerDied
from scangen_bundle.studies.export import write_tables
from scangen_bundle.studies.folder import claim_folder, failures, open_cells
from scangen_bundle.studies.models import choose_strengths
from scangen_bundle.studies.outcome import StudyOutcome
from scangen_bundle.studies.page import write_page
from scangen_bundle.studies.plan import Cell, Plan, Split
from scangen_bundle.studies.refit import REFIT, commonest_strength, refit
from scangen_bundle.studies.results import CellResult, cell_folder, is_done, read_result, write_failure
from scangen_bundle.studies.takes_part import make_method, needs_in_words
from scangen_bundle.studies.terminal import plan_text, settings_in_words, table_text
from scangen_bundle.studies.tracking import StudyTracker
from scangen_bundle.studies.worker import StudyFacts, open_worker
from scangen_bundle.training.choice import RULES

logger = logging.getLogger(__name__)


class StudyJob:
    """Which method makes the scanners of these scans agree?

    The folder gets `study.json` (what the cells depend on), `cells/` (a folder for each), `study.html`, `results.json`,
    `table.csv`, LaTeX tables and plots. A later session trains only what has no result; failed cells are tried again.

    Args:
        manifest: as from `cohort.load_manifest`.
        folder: of the study.
        design: what is compared.
        training: how every cell is trained.
        analysis: how the results are looked at.
        engine: name of the engine, see `engine.ENGINES`.
        workers: of the engine; None: it chooses.
        tracking: where MLflow runs go.
        dry_run: only say what would be trained, and how long it takes.
        refit: method that is trained on all patients but a validation share, after the study; None: none.

    Raises:
        InputError: no engine, rule or method has the name.
    """

    def __init__(
        self,
        manifest: pd.DataFrame,
        folder: str,
        design: Design,
        training: Training,
        analysis: Analysis,
        engine: str = "here",
        workers: int | None = None,
        tracking: TrackingSettings | None = None,
        dry_run: bool = False,
        refit: str | None = None,
    ) -> None:
        self.manifest, self.folder, self.design = manifest, Path(folder), design
        self.training, self.analysis, self.dry_run = training, analysis, dry_run
        self.engine = ENGINES[engine](workers)
        self.tracking = tracking or TrackingSettings(experiment=None)
        self.refit = refit
        for rule in analysis.rules:
            RULES[rule]  # an unknown one is refused here, and so is an unknown method
        for name in [*design.methods, *([refit] if refit else [])]:
            make_method(name, design.method_options)

    def run(self) -> StudyOutcome | None:
        """Train what has no result, and write tables and page; None of a dry run."""
        load_plugins(self.training.plugins)
        check_writable(self.folder)
        with lock_file(self.folder / ".lock") as is_ours:
            if not is_ours:
                raise InputError(
                    self.folder, "another job works on this study", "wait for it, or give another study_dir"
                )
            return self._run()

    def _run(self) -> StudyOutcome | None:
        plan = self.design.plan(self.manifest, self.training.features_dir)
        facts = claim_folder(self.folder, self.manifest, self.training.facts(self.design, plan, self.analysis.rules))
        open_worker.cache_clear()
        open_worker(str(self.folder))  # damaged bags are refused here, not once for each cell
        for (method, scheme), reason in plan.left_out.items():
            logger.warning("%s: %s is left out: %s", scheme, method, reason)
        if self.dry_run:
            self._measure_first_cell(plan)
            print(plan_text(self.folder, plan, self.engine.workers))
            return None
        words = settings_in_words(plan, facts, self.analysis, self.manifest)
        tracker = StudyTracker(self.tracking, self.folder, self.folder.resolve().name, words)
        try:
            outcome = self._work(plan, facts, words, tracker)
        except BaseException:
            tracker.finish("FAILED")
            raise
        tracker.finish()
        return outcome

    def _work(self, plan: Plan, facts: StudyFacts, words: Mapping[str, str], tracker: StudyTracker) -> StudyOutcome:
        """Train, write tables and page, and train the chosen method on all patients where that is asked for."""
        self._train(plan.first_cells(), "first seed", tracker)
        if len(plan.seeds) > 1:
            self._train(self._later_cells(plan), "other seeds", tracker)
        outcome = self._analyse(plan, facts, words)
        page = write_page(self.folder, outcome)
        write_tables(self.folder, outcome)
        tracker.log_outcome(outcome, page)
        print(table_text(outcome))
        print(f"wrote {page}")
        if self.refit:
            strength = commonest_strength(self._results(plan.first_cells()), self.manifest, self.refit, self.analysis)
            cell = Cell(self.refit, Split(REFIT), plan.seeds[0], strength)
            print(f"wrote {refit(open_worker(str(self.folder)), cell, self.analysis.choose_by)}")
        print(RESEARCH_USE_ONLY)
        return outcome

    def _train(self, cells: Sequence[Cell], name: str, tracker: StudyTracker) -> None:
        """Train the cells that have no result."""
        waiting = open_cells(self.folder, cells)
        with tqdm(total=len(cells), initial=len(cells) - len(waiting), desc=f"trainings, {name}", unit="cell") as bar:
            for cell in cells:
                if cell not in waiting:
                    tracker.log_cell(cell, self.manifest, self.analysis.choose_by)

            def report(cell: Cell, outcome: CellOutcome | WorkerDied) -> None:
                self._note(cell, outcome)
                if not outcome.reason:
                    tracker.log_cell(cell, self.manifest, self.analysis.choose_by)
                bar.update()

            self.engine.run(partial(run_cell, str(self.folder)), waiting, report)

    def _note(self, cell: Cell, outcome: CellOutcome | WorkerDied) -> None:
        if isinstance(outcome, WorkerDied):
            write_failure(cell_folder(self.folder, cell), cell, outcome.reason, "")
        if outcome.reason:
            logger.warning("%s failed: %s", cell.key, outcome.reason)

    def _later_cells(self, plan: Plan) -> list[Cell]:
        """Cells of the other seeds, with the strengths that validation chose in the first one."""
        done = self._results(plan.first_cells())
        return plan.later_cells(choose_strengths(done, self.manifest, self.analysis.choose_by))

    def _results(self, cells: Sequence[Cell]) -> list[CellResult]:
        folders = [cell_folder(self.folder, cell) for cell in cells]
        return [read_result(folder) for folder in folders if is_done(folder)]

    def _analyse(self, plan: Plan, facts: StudyFacts, words: Mapping[str, str]) -> StudyOutcome:
        cells = [*plan.first_cells(), *self._later_cells(plan)]
        found = self._results(cells)
        results = StudyResults(plan, self.manifest, facts.rules.never_train, found, failures(self.folder, cells))
        methods = {}
        for name in plan.methods:
            method = make_method(name, self.design.method_options)
            methods[name] = (method.title, needs_in_words(method.needs))
        return analyse(results, self.analysis, methods, words)

    def _measure_first_cell(self, plan: Plan) -> None:
        """Train one cell, if none is done, so that the time of the others is known."""
        cells = plan.first_cells()
        if len(open_cells(self.folder, cells)) == len(cells):
            self._note(cells[0], run_cell(str(self.folder), cells[0]))
