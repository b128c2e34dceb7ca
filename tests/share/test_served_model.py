"""The registered model, answered over HTTP by `mlflow models serve` in a process of its own."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from scangen_bundle.share.package import package_bundle
from scangen_bundle.share.register import log_served_model


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture(scope="module")
def registered(store, checkout, trained_run, tmp_path_factory):
    import mlflow

    folder = tmp_path_factory.mktemp("registered")
    packed = package_bundle(checkout, trained_run[0], str(trained_run[1]), "egfr", folder)
    mlflow.set_tracking_uri(store)
    mlflow.create_experiment("packed", artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment("packed")
    return log_served_model(packed.network, store, "scangen_egfr")


@pytest.fixture(scope="module")
def server(registered, store, tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store, "OMP_NUM_THREADS": "1"}
    environment["PATH"] = (
        f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # mlflow calls uvicorn by name
    )
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        "models:/scangen_egfr/1",
        "--env-manager",
        "local",
    ]
    log = tmp_path_factory.mktemp("server") / "log"
    with open(log, "w") as output:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            env=environment, stdout=output, stderr=output, cwd=log.parent, start_new_session=True,
        )  # fmt: skip
    try:
        for _ in range(240):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail(f"the server did not start:\n{log.read_text()}")
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 15)
            process.wait(30)


def ask(server, *paths):
    body = json.dumps({"dataframe_records": [{"path": str(path)} for path in paths]}).encode()
    request = urllib.request.Request(server, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())["predictions"]


def test_answers_over_http_are_the_runs_predictions(server, trained_run):
    table = pd.read_csv(trained_run[0] / "predictions.csv").head(3)
    answers = ask(server, *(trained_run[1] / f"{name}.h5" for name in table["slide_id"]))
    for answer, expected in zip(answers, table["probability"], strict=True):
        assert abs(answer["probability"]["positive"] - expected) < 1e-6
        assert len(answer["attention"]) == 20
        assert abs(sum(answer["attention"]) - 1) < 1e-5
        assert answer["scanner"]["known_to_training"]


def test_a_file_that_is_no_bag_is_an_error_that_names_it(server, trained_run):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, trained_run[0] / "metrics.json")
    assert caught.value.code >= 400
    assert "metrics.json" in caught.value.read().decode()
