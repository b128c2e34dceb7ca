"""Locks: one owner, none that outlives its process."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from scangen_bundle.locks import lock_file

HOLDER = """
import sys, time
from pathlib import Path
from scangen_bundle.locks import lock_file
with lock_file(Path(sys.argv[1])) as got:
    print(got, flush=True)
    time.sleep(60)
"""


def test_a_lock_has_one_owner_and_leaves_no_file(tmp_path):
    path = tmp_path / "locks" / "a.lock"
    with lock_file(path) as first, lock_file(path) as second:
        assert (first, second) == (True, False)
    assert not path.exists()
    with lock_file(path) as again:
        assert again


def test_a_killed_owner_loses_the_lock(tmp_path):
    path = tmp_path / "a.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline().strip() == "True"
        with lock_file(path) as got:
            assert not got
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with lock_file(path) as got:
        assert got


def test_waiting_owners_take_turns(tmp_path):
    path, inside, most = tmp_path / "a.lock", [], []

    def work():
        for _ in range(50):
            with lock_file(path, wait=True) as got:
                assert got
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 200
    assert max(most) == 1
