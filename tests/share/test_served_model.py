"""The registered model, answered over HTTP by `mlflow models serve` in a process of its own."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.share.served_model import FOLDERS, served_path
from scangen_bundle.testing import draw_tissue, make_slide
from tests.share.conftest import DIM, predict, store_below


@pytest.fixture(scope="module")
def server(made_once, trained_run, slide, tmp_path_factory):
    store = store_below(made_once)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = os.pathsep.join([str(trained_run[0]), str(trained_run[1]), str(slide.parent)])
    environment = {**os.environ, FOLDERS: folders, "MLFLOW_TRACKING_URI": store, "OMP_NUM_THREADS": "1"}
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


def ask(server, *records):
    body = json.dumps({"dataframe_records": records}).encode()
    request = urllib.request.Request(server, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())["predictions"]


def sent(path):
    return {"content": base64.b64encode(path.read_bytes()).decode()}


@pytest.mark.parametrize("folders", ["", "/srv", "{folder}"])
def test_a_path_is_opened_only_below_a_folder_that_the_server_was_given(tmp_path, monkeypatch, folders):
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "a.h5").touch()
    (tmp_path / "allowed" / "link.h5").symlink_to(tmp_path / "secret.h5")
    (tmp_path / "secret.h5").touch()
    monkeypatch.setenv(FOLDERS, folders.format(folder=tmp_path / "allowed"))
    inside = tmp_path / "allowed" / "a.h5"
    outside = ["secret.h5", "allowed/../secret.h5", "allowed/link.h5", "allowed/\0"]
    refused = [str(tmp_path / name) for name in outside] + ["/etc/passwd", "", "a.h5"]
    if folders == "{folder}":
        assert served_path(str(inside)) == inside
    else:
        refused.append(str(inside))
    for path in refused:
        with pytest.raises(InputError, match="not below a folder that this server opens"):
            served_path(path)


def test_answers_over_http_are_the_runs_predictions(server, trained_run):
    table = pd.read_csv(trained_run[0] / "predictions.csv").head(3)
    answers = ask(server, *({"path": str(trained_run[1] / f"{name}.h5")} for name in table["slide_id"]))
    for answer, expected in zip(answers, table["probability"], strict=True):
        assert abs(answer["probability"]["positive"] - expected) < 1e-6
        assert len(answer["attention"]) == len(answer["coords"]) == 20
        assert abs(sum(answer["attention"]) - 1) < 1e-5
        assert answer["scanner"]["known_to_training"]


def test_a_bag_can_be_sent_itself(server, trained_run):
    row = pd.read_csv(trained_run[0] / "predictions.csv").iloc[0]
    (answer,) = ask(server, sent(trained_run[1] / f"{row.slide_id}.h5"))
    assert abs(answer["probability"]["positive"] - row.probability) < 1e-6


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slide") / "a.tif", draw_tissue(900, 700), mpp=0.5)


def test_a_slide_has_the_answer_of_extraction_and_network(server, slide, trained_run, tmp_path):
    """`run extracting` on the slide, then the network: nothing of the served model."""
    import torch

    from scangen_bundle.bags import open_bag
    from scangen_bundle.encoders import create_encoder
    from scangen_bundle.extraction import ExtractionJob
    from scangen_bundle.networks import MaskedMILModel
    from scangen_bundle.runs.checkpoint import read_checkpoint

    row = {
        "slide_id": "x",
        "specimen_id": "x",
        "patient_id": "x",
        "scanner": "x",
        "label": -1,
        "slide_path": str(slide),
    }
    manifest = pd.DataFrame([{**row, "features_path": "", "mpp": float("nan"), "split": ""}])
    encoder = create_encoder("efficientnet-lite0")
    ExtractionJob(manifest, tmp_path, encoder, workers=1, progress=False).run()
    network = MaskedMILModel(num_classes=2, num_features=DIM, mil_mode="gated_att").eval()
    network.load_state_dict(read_checkpoint(trained_run[0] / "models" / "best.pt")["network"])
    bag = open_bag(tmp_path / "x.h5")
    seen = []
    network.get_submodule("attention").register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        expected = predict(network, tmp_path / "x.h5")
    for record in ({"path": str(slide)}, sent(slide)):
        (answer,) = ask(server, record)
        assert abs(answer["probability"]["positive"] - expected) < 1e-6
        assert sum(answer["probability"].values()) == pytest.approx(1)
        np.testing.assert_allclose(answer["attention"], seen[0][0][: len(bag)], atol=1e-6)
        assert answer["coords"] == bag.coords.tolist()
        assert answer["tile_size"] == pytest.approx([224, 224])
        assert not answer["scanner"]["known_to_training"]


def test_what_is_neither_bag_nor_slide_is_an_error_that_names_it(server, trained_run):
    for record, problem in (
        ({"path": str(trained_run[0] / "metrics.json")}, "metrics.json"),
        ({"path": str(trained_run[0] / "nowhere.svs")}, "no such file"),
        ({"path": "/etc/passwd"}, "not below a folder that this server opens"),
        (sent(trained_run[0] / "metrics.json"), "content"),
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask(server, record)
        assert caught.value.code >= 400
        assert problem in caught.value.read().decode()
