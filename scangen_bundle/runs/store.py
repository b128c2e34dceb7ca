"""The MLflow store: its address, making a local one, connecting, and what to do where that fails.

Only this module and `tracking` import MLflow, apart from the model that `share/` registers.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.locks import lock_file
from scangen_bundle.secrets import masked

logger = logging.getLogger(__name__)

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"
# Columns that hold absolute places of files.
PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
# What MLflow waits for a server: 10 s, twice.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


def local_store(folder: str | os.PathLike[str]) -> str:
    """The tracking address of a SQLite store in `folder`; characters that an address would take for its own are quoted."""
    return f"sqlite:///{_quoted(Path(folder).resolve() / DATABASE)}"


def _quoted(path: Path) -> str:
    return "".join(quote(character) if character in "%?" else character for character in str(path))


def folder_of(uri: str) -> Path | None:
    """The folder of a SQLite store's file; None for other stores."""
    return Path(unquote(uri.removeprefix("sqlite:///"))).parent if uri.startswith("sqlite:///") else None


def artifacts_of(uri: str) -> str | None:
    """Where a store's files go: next to a SQLite file; None leaves it to the server."""
    folder = folder_of(uri)
    return None if folder is None else (folder.resolve() / ARTIFACTS).as_uri()


def import_client() -> Any:
    """`mlflow.MlflowClient`; importing it takes two seconds."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow import MlflowClient

    return MlflowClient


def connect(uri: str) -> Any:
    """A client of the store, which answers; a local store is made where there is none.

    Args:
        uri: the tracking address.

    Raises:
        InputError: the store does not answer or cannot be used, with the cause's own text and what to do.
    """
    try:
        if uri == _own_address(uri):
            _prepare_local(Path(folder_of(uri) or "."), uri)
        client = import_client()(tracking_uri=uri)
        client.search_experiments(max_results=1)
        return client
    except InputError:
        raise
    except Exception as error:  # the client raises its own, requests' and SQLAlchemy's errors
        raise explained(uri, error) from error
    finally:
        _remove_quoted_folder(uri)


def _own_address(uri: str) -> str:
    folder = folder_of(uri)
    return "" if folder is None else local_store(folder)


def _prepare_local(folder: Path, uri: str) -> None:
    """Make the store's file, whole or not at all, and let it know where its folder is now."""
    folder.mkdir(parents=True, exist_ok=True)
    with lock_file(folder / ".mlflow.lock", wait=True):
        database = folder / DATABASE
        if not database.exists():
            _make_database(database, str(artifacts_of(uri)))
        _relocate(database, str(artifacts_of(uri)))


def _make_database(database: Path, artifacts: str) -> None:
    import_client()
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    level = logging.getLogger("mlflow.store.db.utils").level
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # it reports each of 50 migrations
    try:
        with write_atomically(database) as temporary:
            SqlAlchemyStore(f"sqlite:///{_quoted(temporary)}", artifacts).engine.dispose()
    finally:
        logging.getLogger("mlflow.store.db.utils").setLevel(level)


def _remove_quoted_folder(uri: str) -> None:
    """MLflow makes the folder of a SQLite address without unquoting it; where that is another, it stays empty."""
    quoted = Path(uri.removeprefix("sqlite:///")).parent
    if folder_of(uri) not in (None, quoted) and quoted.is_dir() and not any(quoted.iterdir()):
        quoted.rmdir()


def _relocate(database: Path, artifacts: str) -> None:
    """Files of a store lie next to it; where its folder was moved, put the new place for the old one."""
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "experiments" not in tables:
            return
        locations = [place for (place,) in connection.execute("SELECT artifact_location FROM experiments") if place]
        roots = {place[: place.index(ARTIFACTS) + len(ARTIFACTS)] for place in locations if f"/{ARTIFACTS}" in place}
        for root in sorted(roots - {artifacts}):
            logger.info("the MLflow store was moved: its files are at %s now", artifacts)
            for table in PLACES.keys() & tables:
                for column in _columns(connection, table):
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                        (artifacts, len(root) + 1, len(root), root),
                    )


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    return [column for column in PLACES[table] if column in columns]


def explained(uri: str, error: BaseException) -> InputError:
    """What a failing store means, with the cause's own words and what to do.

    Args:
        uri: the tracking address; its password is not shown.
        error: of MLflow, requests, SQLAlchemy or SQLite.
    """
    text = masked(str(error)).strip()
    line = text.splitlines()[0][:300] if text else type(error).__name__
    problem = f"the MLflow store cannot be used: {line}" if text else f"the MLflow store cannot be used ({line})"
    return InputError(masked(uri), problem, _remedy(uri, text, type(error).__name__))


def _remedy(uri: str, text: str, kind: str) -> str:
    folder = folder_of(uri)
    without = "or set --tracking_required False to go on without it"
    if "out-of-date database schema" in text:
        return f"keep a copy of it and run: mlflow db upgrade '{masked(uri)}'; {without}"
    if uri.startswith("file:") or "://" not in uri:
        return f"give the address of a server or a database, such as {local_store('outputs')}; {without}"
    if "readonly" in text or "unable to open" in text or kind in ("PermissionError", "OSError"):
        return f"make {folder or masked(uri)} writable, or give another --output_dir; {without}"
    if folder is not None:
        aside = folder / DATABASE
        return f"move {aside} away: a new one is made, and only what it tracked is missing there; {without}"
    return f"start it, change MLFLOW_TRACKING_URI or --tracking_uri, {without}"


def experiment_id(client: Any, uri: str, name: str) -> str:
    """The experiment of this name, made where there is none.

    Raises:
        InputError: it was deleted.
    """
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name, artifact_location=artifacts_of(uri)))
        except MlflowException:
            experiment = client.get_experiment_by_name(name)  # another job made it in the meantime
            if experiment is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        number = experiment.experiment_id
        command = f"MLFLOW_TRACKING_URI='{masked(uri)}' mlflow experiments restore --experiment-id {number}"
        remedy = f"run: {command}; or set --tracking_required False to go on without it"
        raise InputError(masked(uri), f"the experiment {name!r} of the MLflow store was deleted", remedy)
    return str(experiment.experiment_id)


def download_run(run_id: str, uri: str, folder: Path, names: tuple[str, ...]) -> None:
    """Copy files and folders of a run into `folder`.

    Raises:
        InputError: the store fails, does not know the run, or the run lacks a file.
    """
    client = connect(uri)
    from mlflow.exceptions import MlflowException

    try:
        client.get_run(run_id)
    except MlflowException as error:
        remedy = "give --run_dir, or another --run_id, and the store with MLFLOW_TRACKING_URI or --outputs"
        raise InputError(run_id, f"MLflow at {masked(uri)} knows no such run", remedy) from error
    for name in names:
        try:
            client.download_artifacts(run_id, name, str(folder))
        except (MlflowException, OSError) as error:
            raise InputError(f"run {run_id}", f"has no artifact {name}", "evaluate it with this version") from error
