"""The MLflow store is whole or absent, moves with its folder, and says what is wrong with it."""

import shutil
import sqlite3
import subprocess
import sys

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.runs import RunTracker
from scangen_bundle.runs.store import connect, explained, folder_of, local_store


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """Making one takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    connect(local_store(folder))
    return folder / "mlflow.db"


@pytest.mark.parametrize("name", ["plain", "o?x", "o 50%25 x", "a#b", "ä & ö"])
def test_a_folder_may_have_any_name(tmp_path, empty_store, name):
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(empty_store, folder)
    tracker = RunTracker(folder, folder / "run")
    assert folder_of(tracker.uri) == folder
    (folder / "file.txt").write_text("content")
    tracker.log_artifact(folder / "file.txt")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (copy,) = (folder / "mlartifacts").rglob("file.txt")
    assert copy.read_text() == "content"


def test_a_store_is_made_with_a_name_that_an_address_has_to_quote(tmp_path):
    connect(local_store(tmp_path / "o?x"))
    assert [path.name for path in tmp_path.iterdir()] == ["o?x"]
    assert [path.name for path in (tmp_path / "o?x").iterdir()] == ["mlflow.db"]


def test_a_store_whose_making_is_interrupted_is_not_there(tmp_path, monkeypatch):
    def die(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlflow.store.db.utils._upgrade_db", die)
    with pytest.raises(KeyboardInterrupt):
        connect(local_store(tmp_path))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert connect(local_store(tmp_path)).search_experiments() != []


CONTINUE = """
import sys
from mlflow import MlflowClient
from scangen_bundle.runs import RunTracker
tracker, other = (RunTracker(sys.argv[1], sys.argv[1] + "/" + name) for name in ("run", "other"))
tracker.log_artifact(sys.argv[2], "second")
other.log_artifact(sys.argv[2])
print(*(item.path for item in MlflowClient(tracker.uri).list_artifacts(tracker.run_id)))
"""
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def test_a_moved_store_keeps_its_files_and_writes_new_ones_where_it_is(tmp_path, empty_store, bundle_root):
    before, after = tmp_path / "outputs", tmp_path / "elsewhere"
    before.mkdir()
    shutil.copy(empty_store, before)
    (tmp_path / "file.txt").write_text("content")
    RunTracker(before, before / "run").log_artifact(tmp_path / "file.txt", "first")
    before.rename(after)
    # in a process of its own: MLflow remembers where a run's files are
    done = subprocess.run(
        [sys.executable, "-c", CONTINUE, after, tmp_path / "file.txt"], cwd=bundle_root, text=True, **PIPES
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["first", "second"]
    assert len(list((after / "mlartifacts").rglob("file.txt"))) == 3
    assert not before.exists()


def damaged(content):
    def spoil(path):
        path.write_bytes(content)

    return spoil


def half_made(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER)")


def of_an_older_mlflow(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'bd07f7e963c5'")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damaged(b"no database, but a text that is long enough" * 99), r"move .*mlflow.db away: a new one is made"),
        (half_made, r"move .*mlflow.db away: a new one is made"),
        (of_an_older_mlflow, r"out-of-date database schema .*-> .*mlflow db upgrade 'sqlite:///.*mlflow.db'"),
    ],
)
def test_a_store_that_cannot_be_used_says_why_and_what_helps(tmp_path, empty_store, spoil, said, caplog):
    path = tmp_path / "mlflow.db"
    if spoil is of_an_older_mlflow:
        shutil.copy(empty_store, path)
    spoil(path)
    with pytest.raises(InputError, match=said) as caught:
        RunTracker(tmp_path, tmp_path / "run").start()
    assert "--tracking_required False" in str(caught.value)
    optional = RunTracker(tmp_path, tmp_path / "run", tracking_required=False)
    optional.log_metrics({"x": 1.0})
    assert optional.run_id is None
    assert "going on without tracking" in caplog.text


def test_a_folder_of_files_is_no_store_any_more(tmp_path):
    with pytest.raises(InputError, match=r"-> give the address of a server or a database, such as sqlite:"):
        RunTracker(tmp_path, tmp_path / "run", tracking_uri=(tmp_path / "mlruns").as_uri()).start()


def test_the_remedy_fits_the_cause():
    for error, remedy in (
        (sqlite3.OperationalError("attempt to write a readonly database"), "make /x writable"),
        (sqlite3.OperationalError("unable to open database file"), "make /x writable"),
        (sqlite3.DatabaseError("database disk image is malformed"), "move /x/mlflow.db away"),
    ):
        assert explained("sqlite:////x/mlflow.db", error).remedy.startswith(remedy)
    timeout = explained("https://me:s3cret@host", TimeoutError("https://me:s3cret@host timed out\nat length"))
    assert str(timeout).startswith(
        "https://me:***@host: the MLflow store cannot be used: https://me:***@host timed out -> "
    )
    assert "start it, change MLFLOW_TRACKING_URI" in timeout.remedy
