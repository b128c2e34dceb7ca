"""The installed script `scangen`, as a user's shell finds it."""

import subprocess
import sys
from pathlib import Path

import pandas as pd


def test_worker_processes_do_not_run_the_script_again(tmp_path):
    script = Path(sys.executable).with_name("scangen")
    command = [script, "phantom", tmp_path / "a cohort", "--specimens", "2", "--size-um", "300"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    assert len(pd.read_csv(tmp_path / "a cohort" / "manifest.csv")) == 12
