"""The evaluation script's report."""

import sys

import pytest

from tests import commands

from ..report.cohort import simulate


@pytest.mark.parametrize("second", [False, True])
def test_html_is_written_beside_the_numbers(tmp_path, bundle_root, second):
    table = simulate(specimens=12, scanners=("A", "B"))
    table.loc[0, "label"] = None  # an unlabelled scan
    table.loc[1, "label"] = None
    table.to_csv(tmp_path / "a.csv", index=False)
    table.assign(probability=1 - table["probability"]).to_csv(tmp_path / "b.csv", index=False)
    tables = [tmp_path / "a.csv", tmp_path / "b.csv"][: 1 + second]
    options = ["--output", tmp_path / "m.json", "--html", tmp_path / "r.html", "--resamples", "20"]
    command = [sys.executable, "-m", "scangen_bundle.cli", "score", *tables, *options]
    done = commands.run(command, cwd=bundle_root)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text()
    assert ("b compared with a" in page) == second
    assert "the default, not chosen on validation patients" in page
    assert 'id="headline"' in page
