"""The recipe "a measure" of CONTRIBUTING, run from its text: the file is written, the command is run."""

import json
import shlex

import pandas as pd

from tests.recipes import recipe, write_recipe

from .conftest import UNSEEN


def test_the_recipes_measure_is_in_metrics_json_and_on_the_page(trained, tmp_path):
    plugin = write_recipe("a measure", tmp_path / "my_measure.py")
    words = shlex.split(recipe("a measure", "bash").replace("\\\n", " "))
    run = trained.outputs / "scangen"
    named_so = {"outputs/scangen": str(run), "['my_measure.py']": f"['{plugin}']"}
    config, *options = words[words.index("--config_file") + 1 :]
    trained.run("evaluating", config, *(named_so.get(word, word) for word in options), "--resamples", "30")
    metrics = json.loads((run / "metrics.json").read_text())
    scans = pd.read_csv(run / "predictions.csv")
    called = scans[(scans.scanner == UNSEEN) & (scans.probability >= metrics["settings"]["threshold"])]
    figure = metrics["figures"][f"ppv/{UNSEEN}"]
    assert figure["value"] == (called.label.mean() if len(called) else None)
    assert metrics["figures"]["ppv/worst"]["scanners"]
    assert ">PPV</button>" in (run / "report.html").read_text()
