"""Fresh processes: what they share, and where they cannot be forked."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json
from concurrent.futures import ProcessPoolExecutor
from scangen_bundle.processes import fresh_processes
from tests.test_processes import SECRET, who_am_i

SECRET["changed"] = True
context = fresh_processes("wave", "tests.test_processes")
pools = [ProcessPoolExecutor(1, context) for _ in range(2)]
print(json.dumps([context.get_start_method(), *(pool.submit(who_am_i).result() for pool in pools)]))
for pool in pools:
    pool.shutdown()
"""
SECRET = {"of the first process alone": True}


def who_am_i():
    return {"parent": os.getppid(), "imported": "wave" in sys.modules, "inherited": "changed" in SECRET}


def run(**environment):
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks them from one process")
def test_processes_are_forked_from_one_that_has_imported_the_modules_and_inherit_nothing():
    method, first, second = run()
    assert method == "forkserver"
    assert first == second == {"parent": first["parent"], "imported": True, "inherited": False}


def test_each_process_starts_by_itself_where_the_temporary_folder_cannot_hold_the_socket(tmp_path):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    method, first, second = run(TMPDIR=str(folder))
    assert method == "spawn"
    assert first == second == {"parent": first["parent"], "imported": False, "inherited": False}
