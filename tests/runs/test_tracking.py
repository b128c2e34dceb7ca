"""One MLflow run per training, whatever fails."""

import math
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient

from scangen_bundle.errors import InputError
from scangen_bundle.runs import RunFolder, RunTracker
from scangen_bundle.runs.store import local_store


@pytest.fixture(autouse=True)
def _no_tracking_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def history(folder, run_id, name):
    points = MlflowClient(local_store(folder)).get_metric_history(run_id, name)
    return [(point.step, point.value) for point in sorted(points, key=lambda point: point.step)]


def test_a_resumed_run_goes_on_in_the_same_mlflow_run(tmp_path):
    first, second, other = (RunTracker(tmp_path, tmp_path / name) for name in ("a", "a", "b"))
    for tracker in (first, second, other):
        tracker.log_metrics({"x": 1.0})
    assert first.run_id == second.run_id != other.run_id


def test_a_dead_server_is_an_error_before_training(tmp_path):
    tracker = RunTracker(tmp_path, tmp_path / "run", tracking_uri="http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9: the MLflow store cannot be used: .*-> start it"):
        tracker.start()


def test_a_dead_server_falls_back_to_the_local_store_where_allowed(tmp_path, caplog):
    tracker = RunTracker(tmp_path, tmp_path / "run", tracking_uri="http://127.0.0.1:9", tracking_required=False)
    tracker.log_metrics({"x": 2.0}, step=3)
    assert history(tmp_path, tracker.run_id, "x") == [(3, 2.0)]
    assert "tracking goes to" in caplog.text


def test_the_environment_names_the_server(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", local_store(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    tracker = RunTracker(tmp_path, tmp_path / "run", tracking_uri="http://127.0.0.1:9")
    tracker.log_metrics({"x": 1.0})
    assert (tmp_path / "elsewhere" / "mlflow.db").exists()


def test_two_jobs_that_start_together_share_the_experiment(tmp_path, monkeypatch):
    RunTracker(tmp_path, tmp_path / "a").start()
    look, answers = MlflowClient.get_experiment_by_name, iter([None])  # as if the other job had not made it yet
    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", lambda client, name: next(answers, look(client, name)))
    second = RunTracker(tmp_path, tmp_path / "b")
    second.log_metrics({"x": 1.0})
    assert history(tmp_path, second.run_id, "x") == [(0, 1.0)]


def test_a_scanner_may_have_any_name_and_what_mlflow_refuses_becomes_a_dash_below(tmp_path):
    tracker = RunTracker(tmp_path, tmp_path / "run")
    tracker.log_metrics({"auroc/P1000 (lab+1), left@é": 0.5})
    assert history(tmp_path, tracker.run_id, "auroc/P1000 _lab_1__ left_é") == [(0, 0.5)]


def test_a_deleted_run_is_replaced_by_a_new_one(tmp_path, caplog):
    first = RunTracker(tmp_path, tmp_path / "run")
    first.start()
    MlflowClient(first.uri).delete_run(first.run_id)
    second = RunTracker(tmp_path, tmp_path / "run")
    second.log_metrics({"x": 1.0})
    assert second.run_id != first.run_id
    assert "was deleted in MLflow; a new run is made" in caplog.text
    assert history(tmp_path, second.run_id, "x") == [(0, 1.0)]


def test_a_deleted_experiment_is_named_with_how_to_restore_it(tmp_path, caplog):
    tracker = RunTracker(tmp_path, tmp_path / "a", experiment="mine")
    tracker.start()
    client = MlflowClient(tracker.uri)
    number = client.get_experiment_by_name("mine").experiment_id
    client.delete_experiment(number)
    with pytest.raises(InputError, match=rf"'mine' .* was deleted -> run: .*restore --experiment-id {number}"):
        RunTracker(tmp_path, tmp_path / "b", experiment="mine").start()
    optional = RunTracker(tmp_path, tmp_path / "b", experiment="mine", tracking_required=False)
    optional.log_metrics({"x": 1.0})
    optional.log_artifact(__file__)
    optional.finish()
    assert optional.run_id is None
    assert "was deleted" in caplog.text
    assert "going on without tracking" in caplog.text


def test_the_run_of_a_failed_training_with_other_settings_is_not_continued(tmp_path):
    trackers = [RunTracker(tmp_path, tmp_path / "run", params={"epochs": epochs}) for epochs in (1, 2, 2)]
    for tracker in trackers:
        tracker.start()
    first, second, third = [tracker.run_id for tracker in trackers]
    assert first != second == third
    evaluation = RunTracker(tmp_path, tmp_path / "run")
    evaluation.start()
    assert evaluation.run_id == second


def test_nothing_that_a_run_shows_has_a_password(tmp_path):
    uri = "http://me:s3cret@127.0.0.1:9"
    tracker = RunTracker(tmp_path, tmp_path / "run", params={"tracking_uri": uri}, tags={"source": f"--uri {uri}"})
    tracker.start()
    data = MlflowClient(tracker.uri).get_run(tracker.run_id).data
    assert data.params == {"tracking_uri": "http://me:***@127.0.0.1:9"}
    assert data.tags["source"] == "--uri http://me:***@127.0.0.1:9"
    with pytest.raises(InputError) as caught:
        RunTracker(tmp_path, tmp_path / "other", tracking_uri=uri).start()
    assert "s3cret" not in str(caught.value)


class Hangs:
    """A client whose server takes its time, and then fails."""

    def __init__(self):
        self.calls = 0

    def log_batch(self, *args, **options):
        self.calls += 1
        raise TimeoutError("timed out")

    set_terminated = log_artifact = log_batch


def test_a_server_that_hangs_costs_its_patience_once(tmp_path):
    tracker = RunTracker(tmp_path, tmp_path / "run", tracking_required=False)
    tracker.start()
    tracker._client = client = Hangs()
    for epoch in range(5):
        tracker.log_metrics({"x": 1.0}, step=epoch)
    tracker.log_artifact(__file__)
    tracker.finish()
    assert client.calls == 1


START = """
import sys
from scangen_bundle.runs import RunTracker
tracker = RunTracker(sys.argv[1], sys.argv[1] + "/" + sys.argv[2])
tracker.log_metrics({"x": float(sys.argv[3])})
print(tracker.run_id)
"""


def test_three_trainings_that_start_together_in_an_empty_folder_all_track(tmp_path, bundle_root):
    command = [sys.executable, "-c", START, str(tmp_path)]
    started = [
        subprocess.Popen([*command, f"run{i}", str(i)], cwd=bundle_root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for i in range(3)
    ]
    for number, process in enumerate(started):
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
        assert history(tmp_path, output.decode().strip(), "x") == [(0, float(number))]
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", "run0", "run1", "run2"}


def test_the_first_of_two_sessions_leaves_its_id_in_the_folder(tmp_path):
    tracker = RunTracker(tmp_path, tmp_path / "run")
    tracker.start()
    assert RunFolder(tmp_path / "run").mlflow_run.read_text() == tracker.run_id
    assert math.isclose(
        MlflowClient(tracker.uri).get_run(tracker.run_id).info.start_time / 1000, time.time(), abs_tol=600
    )
