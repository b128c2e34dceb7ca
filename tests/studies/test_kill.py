"""A study that is killed at random moments ends with the table of one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.studies.small import ROOT

CODE = """
import sys
from pathlib import Path
from tests.studies.small import small_study
if __name__ == "__main__":
    small_study(Path(sys.argv[1]), Path(sys.argv[2]), seeds=2, engine=sys.argv[3], workers=2).run()
"""


def start(script, cohort, folder, engine):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(cohort), str(folder), engine]
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("engine", ["here", "local"])
def test_kills_change_no_table(cohort, finished, tmp_path, engine):
    script = tmp_path / "study.py"
    script.write_text(CODE)
    folder = tmp_path / "study"
    draw = random.Random(engine)
    kills = 0
    for _ in range(int(os.environ.get("SCANGEN_KILLS", "2"))):
        process = start(script, cohort, folder, engine)
        begin = time.monotonic()
        _until(lambda process=process: folder.is_dir() or process.poll() is not None)
        time.sleep(draw.uniform(0.5, 6.0))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        assert time.monotonic() - begin < 300
    assert kills, "every session was faster than its kill"
    assert start(script, cohort, folder, engine).wait() == 0
    assert (folder / "table.csv").read_text() == (finished[0] / "table.csv").read_text()


def _until(is_so, seconds=120):
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
