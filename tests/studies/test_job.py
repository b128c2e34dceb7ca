from __future__ import annotations

import json
import logging

import pandas as pd
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.runs import RunFolder, TrackingSettings
from scangen_bundle.studies.results import CELLS
from tests.studies.small import ROOT, small_study


def cells(folder):
    return sorted(path.parent.name for path in (folder / CELLS).glob("*/cell.json"))


def table(folder):
    return (folder / "table.csv").read_text()


def test_a_study_leaves_page_tables_and_plots(finished):
    folder, outcome = finished
    assert len(cells(folder)) == 2 * 2 * 2 == outcome.done == outcome.cells
    for name in ("study.html", "results.json", "table.csv", "leaderboard_one-out.tex"):
        assert (folder / name).stat().st_size > 0, name
    assert {path.suffix for path in (folder / "plots").iterdir()} == {".svg", ".pdf"}
    labels = [row.label for row in outcome.schemes[0].rows]
    assert labels == ["plain", "plain, ensemble of seeds", "scangen", "scangen, ensemble of seeds"]
    assert outcome.schemes[0].by_rule.keys() == {"one_se"}


def test_a_second_session_trains_nothing_and_gives_the_same_tables(finished, cohort):
    folder, _ = finished
    before = table(folder), (folder / "results.json").read_text()
    times = {path: path.stat().st_mtime_ns for path in (folder / CELLS).rglob("*.csv")}
    small_study(cohort, folder, seeds=2).run()
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert (table(folder), (folder / "results.json").read_text()) == before


def test_all_cores_give_the_same_table_as_this_process(finished, cohort, tmp_path):
    small_study(cohort, tmp_path / "study", seeds=2, engine="local", workers=2).run()
    assert table(tmp_path / "study") == table(finished[0])


def test_a_seed_more_trains_only_what_is_new(cohort, tmp_path):
    small_study(cohort, tmp_path / "study", methods=("plain",)).run()
    first = cells(tmp_path / "study")
    small_study(cohort, tmp_path / "study", methods=("plain",), seeds=2).run()
    assert set(first) < set(cells(tmp_path / "study"))
    assert len(cells(tmp_path / "study")) == 2 * len(first)


def test_a_failed_cell_is_told_and_the_others_go_on(cohort, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        outcome = small_study(cohort, tmp_path / "study", grids={"scangen": [{"margin": 1.0}, {"margin": -1.0}]}).run()
    failed = outcome.schemes[0].failed
    assert len(failed) == 2
    assert all("margin" in reason for reason in failed.values())
    assert {row.method for row in outcome.schemes[0].rows} == {"plain", "scangen"}
    assert "failed" in caplog.text
    assert "margin" in (tmp_path / "study" / "study.html").read_text()


def test_a_method_whose_needs_are_not_met_is_left_out_with_its_reason(cohort, tmp_path):
    schemes = {"once": {"hold_out": "scanner 2", "training": "once"}}
    outcome = small_study(cohort, tmp_path / "study", schemes=schemes).run()
    assert [row.method for row in outcome.schemes[0].rows] == ["plain"]
    assert "several training scanners" in outcome.schemes[0].left_out["scangen"]
    assert "several training scanners" in (tmp_path / "study" / "study.html").read_text()


def test_strengths_are_chosen_and_told(cohort, tmp_path):
    grids = {"scangen": [{"weight": 1.0}, {"weight": 100.0}]}
    outcome = small_study(cohort, tmp_path / "study", methods=("scangen",), grids=grids, seeds=2).run()
    assert len(cells(tmp_path / "study")) == 2 * (2 + 1)
    assert "weight" in outcome.methods[0].strengths


def test_a_dry_run_trains_one_cell_and_tells_the_rest(cohort, tmp_path, capsys):
    assert small_study(cohort, tmp_path / "study", seeds=3, dry_run=True).run() is None
    assert len(cells(tmp_path / "study")) == 1
    printed = capsys.readouterr().out
    for word in ("12 trainings", "1 of 4 done", "s each, measured on 1", "plain", "scangen"):
        assert word in printed
    assert not (tmp_path / "study" / "study.html").exists()


def test_two_jobs_on_one_study_are_refused(cohort, tmp_path):
    from scangen_bundle.locks import lock_file

    folder = tmp_path / "study"
    with lock_file(folder / ".lock"), pytest.raises(InputError, match="another job works on this study"):
        small_study(cohort, folder).run()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ("plain", "scangan")}, "scangan"),
        ({"choose_by": "coin"}, "one_se"),
        ({"engine": "cloud"}, "local"),
        ({"refit": "scangan"}, "scangan"),
        ({"method_options": {"scangen": {"wieght": 1}}}, "wieght"),
    ],
)
def test_names_that_do_not_exist_are_refused_before_anything_is_written(cohort, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        small_study(cohort, tmp_path / "study", **changes)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 20}, "too few for 20 folds"),
        ({"schemes": {"s": {"hold_out": "scanner 9"}}}, "scanner 9"),
        ({"methods": ()}, "none to compare"),
    ],
)
def test_an_impossible_study_is_refused_before_any_training(cohort, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        small_study(cohort, tmp_path / "study", **changes).run()
    assert not cells(tmp_path / "study")


def test_a_missing_bag_is_refused_before_any_training(cohort, tmp_path):
    job = small_study(cohort, tmp_path / "study")
    job.manifest.loc[0, "features_path"] = str(tmp_path / "nowhere.h5")
    with pytest.raises(InputError, match="nowhere"):
        job.run()
    assert not cells(tmp_path / "study")


def test_mlflow_has_one_run_for_the_study_and_one_for_each_cell(cohort, tmp_path):
    from mlflow import MlflowClient

    tracking = TrackingSettings(experiment="studies", store_dir=str(tmp_path))
    for _ in range(2):  # a second session logs nothing twice
        small_study(cohort, tmp_path / "study", tracking=tracking).run()
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("studies").experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert (len(parents), len(children)) == (1, 4)
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    assert {run.data.params["method"] for run in children} == {"plain", "scangen"}
    assert "test/auroc/mean" in children[0].data.metrics
    assert "one out/scangen/flip_rate" in parents[0].data.metrics
    assert "study.html" in {file.path for file in client.list_artifacts(parents[0].info.run_id)}


def test_the_refitted_method_is_a_run_of_all_patients(cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    small_study(cohort, tmp_path / "study", methods=("plain",), refit="scangen").run()
    run = RunFolder(tmp_path / "study" / "refit_scangen")
    assert run.best.is_file()
    splits = pd.read_csv(run.splits, dtype=str)
    assert set(splits["split"]) == {"train", "val"}
    assert splits["patient_id"].nunique() == 16
    assert set(splits.loc[splits["split"] == "train", "scanner"]) == {"scanner 0", "scanner 1", "scanner 2"}


def test_results_are_plain_json_with_the_notice(finished):
    content = json.loads((finished[0] / "results.json").read_text())
    assert "esearch use only" in content["notice"]
    assert {row["label"] for row in content["schemes"][0]["rows"]} >= {"plain", "scangen"}
