"""The guide builds strictly: every link, anchor and name of the API leads somewhere."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT


def test_the_guide_builds_and_has_every_room_and_error(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-4000:]
    site = tmp_path / "site"
    assert "20x is not 20x" in (site / "index.html").read_text()
    assert "evaluate_predictions" in (site / "api" / "measures.html").read_text()
    messages = (site / "troubleshooting.html").read_text()
    assert messages.count("<strong>Do:</strong>") > 100
