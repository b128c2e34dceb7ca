"""Locks: one owner, none that outlives its process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from scangen_bundle import locks
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


# What network disks do to flock, put before a program. Each process sees a lock table of its own in the last.
SHIMS = {
    "works": "",
    "granted to all": "import fcntl; fcntl.flock = lambda handle, operation: None",
    "refused": """
import errno, fcntl, os
def refuse(handle, operation):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = refuse""",
    "local to each process": """
import errno, fcntl, os
table = set()
def flock(handle, operation):
    place = os.fstat(handle).st_ino
    if place in table:
        raise BlockingIOError(errno.EAGAIN, "locked")
    table.add(place)
fcntl.flock = flock""",
}
OTHER_MACHINE = """
from scangen_bundle import locks
locks.BEAT, locks.STALE_AFTER = 0.1, 0.8
locks.running_machine = lambda: sys.argv[2]
"""
TAKER = """
import sys, os, time
from pathlib import Path
from scangen_bundle.locks import lock_file
folder = Path(sys.argv[1])
for number in range(30):
    with lock_file(folder / f"{number}.lock") as got:
        if got and not (folder / f"{number}.done").exists():
            os.close(os.open(folder / f"{number}.busy", os.O_CREAT | os.O_EXCL))
            time.sleep(0.002)
            (folder / f"{number}.busy").rename(folder / f"{number}.done")
"""


@pytest.mark.parametrize("shim", SHIMS)
def test_two_machines_never_work_on_one_thing_whatever_flock_answers(tmp_path, shim):
    program = f"import sys{chr(10)}{SHIMS[shim]}{OTHER_MACHINE}{TAKER}"
    pair = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path, name], stderr=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    assert [taker.communicate()[1] for taker in pair] == ["", ""]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{number}.done" for number in range(30))


@pytest.mark.parametrize("shim", SHIMS)
def test_a_dead_machine_loses_its_lease_after_a_while_and_a_living_one_does_not(tmp_path, shim, monkeypatch, caplog):
    monkeypatch.setattr(locks, "STALE_AFTER", 0.8)
    path = tmp_path / "a.lock"
    program = f"import sys{chr(10)}{SHIMS[shim]}{OTHER_MACHINE}{HOLDER}"
    command = [sys.executable, "-c", program, str(path), "other"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline().strip() == "True"
        for age in (0.0, 1.2):
            time.sleep(age)
            with lock_file(path) as got:
                assert not got
            assert locks.has_living_owner(path) == (age > 0)
        holder.kill()
        holder.wait()
        begin = time.monotonic()
        with lock_file(path, wait=True) as got:
            assert got
    assert 0.3 < time.monotonic() - begin < 5
    assert f"taken over from process {holder.pid} on" in caplog.text


def write_lease(path, machine="elsewhere", **changes):
    owner = {"host": "node7", "machine": machine, "process": 1, "start": 1, **changes}
    path.write_text(json.dumps(owner))


def test_a_lease_of_a_future_clock_is_judged_by_whether_it_beats(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(locks, "STALE_AFTER", 0.3)
    path = tmp_path / "a.lock"
    write_lease(path)
    os.utime(path, (time.time() + 7200,) * 2)
    with lock_file(path) as got:
        assert not got
    assert "the clock of process 1 on node7 is 120 minutes ahead" in caplog.text
    assert not locks.has_living_owner(path)
    time.sleep(0.4)
    with lock_file(path) as got:
        assert got


def test_a_lease_whose_process_number_is_used_by_a_later_process_is_free(tmp_path):
    path = tmp_path / "a.lock"
    owner = locks.this_owner()
    write_lease(path, owner.machine, process=owner.process, start=owner.start - 1)
    with lock_file(path) as got:
        assert got


def test_an_owner_that_lost_its_lease_while_suspended_leaves_the_new_owners_alone(tmp_path, caplog):
    path = tmp_path / "a.lock"
    with lock_file(path):
        path.unlink()
        write_lease(path)
    assert path.exists()
    assert "taken over by process 1 on node7 while it was held" in caplog.text


def test_an_owner_that_ended_unnoticed_by_its_parent_loses_its_lease(tmp_path):
    path = tmp_path / "a.lock"
    child = os.fork()
    if child == 0:
        lock_file(path).__enter__()
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # it is a zombie until it is waited for
    with lock_file(path) as got:
        assert got
    os.waitpid(child, 0)


def test_a_fork_does_not_end_its_parents_lease(tmp_path):
    path = tmp_path / "a.lock"
    lease = lock_file(path)
    assert lease.__enter__()
    child = os.fork()
    if child == 0:
        lease.__exit__(None, None, None)
        os._exit(0)
    os.waitpid(child, 0)
    assert path.exists()
    lease.__exit__(None, None, None)
    assert not path.exists()


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
