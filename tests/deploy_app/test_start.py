"""Starts that cannot do anything, and an encoder that is not here: one process, `main` called once for each."""

import json
import os
import shutil
import subprocess

import pytest
import torch

from tests.deploy_app.conftest import APP
from tests.share.conftest import write_features

START_EACH = """
import json, os, runpy, sys
app, starts = sys.argv[1], json.loads(sys.argv[2])
main = runpy.run_path(app + "/__main__.py")["main"]
for name, options in starts.items():
    sys.argv = [app, *options]
    print("start", name, file=sys.stderr, flush=True)
    code = main()
    print("code", code, file=sys.stderr, flush=True)
"""


def save_with_another_encoder(model, target):
    """The exported network, but trained on features of UNI, whose weights a site must supply."""
    files = {"metadata.json": "", "site_reference.json": "", "inference.json": ""}
    network = torch.jit.load(model, _extra_files=files)
    metadata = json.loads(files["metadata.json"])
    text = json.dumps(metadata).replace('"efficientnet-lite0"', '"uni"')
    target.parent.mkdir(parents=True)
    network.save(str(target), _extra_files={**files, "metadata.json": text})


@pytest.fixture(scope="module")
def said(packed_model, deploy_python, real_data, tmp_path_factory):
    """What each start wrote to stderr, and its exit code last; and the folder of results."""
    import numpy as np

    folder = tmp_path_factory.mktemp("starts")
    bag = next(packed_model[2].glob("*.h5"))
    models = packed_model[0]
    (folder / "bare" / "scangen_mil").mkdir(parents=True)
    torch.jit.script(torch.nn.Linear(2, 2)).save(folder / "bare" / "scangen_mil" / "model.ts")
    (folder / "no_folder").touch()
    (folder / "nothing").mkdir()
    save_with_another_encoder(models / "scangen_mil" / "model.ts", folder / "uni" / "scangen_mil" / "model.ts")
    (folder / "mixed").mkdir()
    write_features(folder / "mixed" / "of_uni.h5", "a", "scanner-1", 0, np.random.default_rng(0), encoder="uni")
    shutil.copy(real_data / "slides" / "cmu-1-small-region.svs", folder / "mixed" / "slide.svs")
    starts = {
        "no metadata": ["-i", bag, "-o", folder / "out", "-m", folder / "bare"],
        "no model": ["-i", bag, "-o", folder / "out", "-m", folder / "nothing"],
        "no right": ["-i", bag, "-o", folder / "no_folder" / "out", "-m", models],
        "no input": ["-i", folder / "nothing", "-o", folder / "out", "-m", models],
        "no encoder": ["-i", folder / "mixed", "-o", folder / "out", "-m", folder / "uni"],
    }
    texts = json.dumps({name: list(map(str, options)) for name, options in starts.items()})
    environment = {**os.environ, "SCANGEN_ALLOW": "far_from_training", "OMP_NUM_THREADS": "1"}
    command = [deploy_python, "-W", "ignore", "-c", START_EACH, APP, texts]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    parts = [part.partition("\n") for part in done.stderr.split("start ")[1:]]
    return {name: text for name, _, text in parts}, folder / "out"


@pytest.mark.parametrize(
    ("start", "problem"),
    [
        ("no metadata", "has no metadata"),
        ("no model", "there is no such model file"),
        ("no right", "no_folder/out: Not a directory"),
        ("no input", "holds no slide and no feature bag"),
    ],
)
def test_an_app_that_cannot_start_says_why_and_exits_with_2(said, start, problem):
    lines = said[0][start].splitlines()
    assert [problem in line for line in lines if line.startswith("error: ")] == [True], lines
    assert lines[-1] == "code 2"


def test_an_absent_encoder_costs_the_slides_their_results_but_not_the_bags(said):
    lines = said[0]["no encoder"].splitlines()
    (error,) = [line for line in lines if line.startswith("error: ")]
    assert error.startswith("error: slide: ")
    assert "encoder 'uni'" in error
    assert "code 1" in lines
    assert [path.name for path in said[1].iterdir()] == ["of_uni"]
