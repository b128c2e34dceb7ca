"""The recipe "a measure of features" of CONTRIBUTING, run from its text: the file is written, the command is run."""

import json
import shlex
import sys

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.bags import BagAttributes, write_bag
from tests import commands
from tests.conftest import ROOT
from tests.recipes import recipe, write_recipe

SMALL = ["--resamples", "20", "--head", "{'max_epochs': 1, 'folds': 2}", "--experiment", "$None"]


@pytest.fixture
def cohort(tmp_path):
    """Four patients on two scanners, with bags of vectors whose length is 2."""
    folder, generator = tmp_path / "cohort", np.random.default_rng(0)
    rows = [(f"s{i}{s}", f"s{i}", f"p{i}", s, i % 2) for i in range(4) for s in "ab"]
    table = pd.DataFrame(rows, columns=["slide_id", "specimen_id", "patient_id", "scanner", "label"])
    for slide_id in table["slide_id"]:
        values = generator.normal(size=(1, 5)).astype(np.float32)
        values *= 2 / np.linalg.norm(values)
        mpp = dict.fromkeys(("mpp", "source_mpp_x", "source_mpp_y", "effective_mpp_x", "effective_mpp_y"), 0.5)
        names = {"slide_id": slide_id, "encoder": "mine", "revision": "1", "pooling": "own"}
        attributes = BagAttributes(**names, **mpp, dim=5, tile_px=224, read_level=0)
        write_bag(folder / "bags" / f"{slide_id}.h5", values, np.zeros((1, 2), np.int64), attributes)
    table.assign(features_path=[f"bags/{name}.h5" for name in table["slide_id"]]).to_csv(
        folder / "manifest.csv", index=False
    )
    return folder


def test_the_recipes_measure_is_in_the_results_and_on_the_page(cohort, tmp_path):
    plugin = write_recipe("a measure of features", tmp_path / "my_measure.py")
    words = shlex.split(recipe("a measure of features", "bash").replace("\\\n", " "))
    words[0] = sys.executable
    words[words.index("--dataset_dir") + 1] = str(cohort)
    words[words.index("--plugins") + 1] = f"['{plugin}']"
    words += [*SMALL, "--output_dir", str(tmp_path / "out"), "--encoders", f"{{'mine': '{cohort / 'bags'}'}}"]
    done = commands.run(words, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out" / "benchmark" / "results.json").read_text())
    assert results["encoders"]["mine"]["figures"]["vector_length"]["value"] == pytest.approx(2)
    assert "vector length" in (tmp_path / "out" / "benchmark" / "leaderboard.html").read_text()
    assert "vector_length" in set(pd.read_csv(tmp_path / "out" / "benchmark" / "results.csv").measure)
