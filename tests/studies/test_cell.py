from __future__ import annotations

import json

import pandas as pd
import pytest

from scangen_bundle.cohort.manifest import write_manifest
from scangen_bundle.studies.cell import choose_epochs, configure, run_cell, train_cell
from scangen_bundle.studies.plan import Cell, Split
from scangen_bundle.studies.results import cell_folder, failure_reason, is_done, read_result, write_result
from scangen_bundle.studies.scans import split_scans
from scangen_bundle.studies.worker import open_worker
from tests.studies.small import small_study
from tests.studies.tables import predictions, scans

SPLIT = Split("one out", ("scanner 2",), 0)


@pytest.fixture
def worker(cohort, tmp_path):
    """A study whose folder is claimed and whose cells are not trained."""
    job = small_study(cohort, tmp_path / "study", dry_run=True)
    job.run()
    open_worker.cache_clear()
    return open_worker(str(tmp_path / "study"))


def scans_of(worker, cell):
    return split_scans(
        worker.manifest, cell.split, worker.facts.schemes[cell.split.scheme], cell.seed, worker.facts.rules
    )


def test_a_cell_predicts_validation_after_each_epoch_and_test_at_the_chosen_ones(worker):
    cell = Cell("scangen", SPLIT, 0)
    result = train_cell(worker, cell)
    table = scans_of(worker, cell)
    of = {part: set(table.loc[table["split"] == part, "slide_id"]) for part in ("val", "test")}
    for epoch in (1, 2):
        assert set(result.validation.loc[result.validation["epoch"] == epoch, "slide_id"]) == of["val"]
    for rule in worker.facts.choose_by:
        assert set(result.test_of(rule)["slide_id"]) == of["test"]
    assert result.cost.parameters > 1000


def test_it_is_the_training_of_run_training(worker, tmp_path):
    cell = Cell("plain", SPLIT, 3)
    table = scans_of(worker, cell)
    result = train_cell(worker, cell)
    whole = worker.parser(cell)
    write_manifest(table, tmp_path / "manifest.csv")
    changes = {
        "manifest_path": str(tmp_path / "manifest.csv"),
        "allow_outside": True,
        "output_dir": str(tmp_path),
        "run_name": "same",
        "patience": 0,
    }
    for name, value in changes.items():
        whole[name] = value
    whole.get_parsed_content("initialize")
    whole.get_parsed_content("training")
    whole.get_parsed_content("finalize")
    expected = pd.read_csv(tmp_path / "same" / "val_predictions.csv").set_index("slide_id")
    epoch = int(expected["epoch"].iloc[0])
    found = result.validation[result.validation["epoch"] == epoch].set_index("slide_id")
    assert found["probability"].to_numpy() == pytest.approx(
        expected.loc[found.index, "probability"].to_numpy(), abs=1e-9
    )


def test_a_cell_is_the_same_again_and_another_seed_is_another(worker):
    first, again, other = (train_cell(worker, Cell("scangen", SPLIT, seed)) for seed in (0, 0, 1))
    assert (first.validation["probability"] == again.validation["probability"]).all()
    assert (first.validation["probability"] != other.validation["probability"]).any()


def test_a_cell_writes_its_result_and_is_not_trained_again(worker):
    cell = Cell("plain", SPLIT, 0)
    folder = cell_folder(worker.folder, cell)
    assert run_cell(str(worker.folder), cell).reason == ""
    before = (folder / "test.csv").stat().st_mtime_ns
    assert run_cell(str(worker.folder), cell).seconds == 0
    assert (folder / "test.csv").stat().st_mtime_ns == before
    assert read_result(folder).cell == cell


def test_strength_reaches_the_method(worker):
    cell = Cell("scangen", SPLIT, 0, (("scangen", "weight", 7.0),))
    parser = configure(worker, cell, scans_of(worker, cell))
    assert parser.get_parsed_content("method_def").weight == 7.0


def test_a_failure_is_written_with_its_reason_and_a_later_success_removes_it(worker):
    cell = Cell("scangen", SPLIT, 0, (("scangen", "weight", -1.0),))
    folder = cell_folder(worker.folder, cell)
    outcome = run_cell(str(worker.folder), cell)
    assert "weight" in outcome.reason
    assert not is_done(folder)
    assert failure_reason(folder) == outcome.reason
    assert "Traceback" in json.loads((folder / "failed.json").read_text())["traceback"]
    write_result(folder, train_cell(worker, Cell("plain", SPLIT, 0)))
    assert failure_reason(folder) == ""


def test_a_rule_that_changes_its_mind_keeps_what_was_chosen_at_the_time():
    manifest = scans()
    tables = {
        epoch: predictions(manifest, seed, effect=effect)[["slide_id", "probability"]]
        for epoch, seed, effect in ((5, 0, 0.5), (10, 0, 3.0), (15, 0, 0.2))
    }
    assert choose_epochs(tables, manifest, ("nll", "auroc/worst", "last")) == {"nll": 10, "auroc/worst": 10, "last": 15}


def test_epochs_before_an_undefined_choice_do_not_count():
    manifest = scans().assign(label=-1)
    tables = {epoch: predictions(scans(), epoch)[["slide_id", "probability"]] for epoch in (1, 2, 3)}
    assert set(choose_epochs(tables, manifest, ("nll", "one_se", "auroc/worst", "last")).values()) == {3}
