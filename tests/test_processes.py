"""Fresh processes: what they share, and where they cannot be forked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scangen_bundle import processes

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


LEFT = """
import os, signal, sys, time
from scangen_bundle.processes import process_pool
from tests.test_processes import wait_for_long
with process_pool(2, "tests.test_processes") as pool:
    pids = [pool.submit(os.getpid).result()]
    futures = [pool.submit(wait_for_long, sys.argv[1]) for _ in range(6)]
    while len(os.listdir(sys.argv[1])) < 2:
        time.sleep(0.01)
    print(*os.listdir(sys.argv[1]), flush=True)
    os.kill(os.getpid(), getattr(signal, sys.argv[2])) if sys.argv[2] != "ERROR" else 1 / 0
    time.sleep(60)
"""


def wait_for_long(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(float(os.environ["WORK_SECONDS"]))


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(("how", "seconds"), [("SIGKILL", 60), ("SIGINT", 1), ("ERROR", 1)])
def test_workers_end_with_their_parent_however_it_ends(tmp_path, how, seconds):
    command = [sys.executable, "-c", LEFT, str(tmp_path), how]
    environment = {**os.environ, "WORK_SECONDS": str(seconds)}
    begin = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)
    assert done.returncode != 0
    workers = done.stdout.split()
    assert len(workers) == 2
    while time.monotonic() - begin < 30 and any(map(is_running, workers)):
        time.sleep(0.05)
    assert not any(map(is_running, workers))
    assert len(os.listdir(tmp_path)) <= 4  # what had not begun never does
    assert "wait_for_long" not in done.stderr


def test_usable_cores_are_those_of_the_affinity():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    code += "from scangen_bundle.processes import usable_cores; print(usable_cores())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "1"


@pytest.mark.parametrize(("content", "expected"), [("150000 100000", 2), ("max 100000", 8), ("10000 100000", 1)])
def test_a_containers_quota_is_rounded_up(monkeypatch, content, expected):
    monkeypatch.setattr(Path, "read_text", lambda path: content)
    assert processes._cgroup_cores(8) == expected
