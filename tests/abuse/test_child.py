"""A child's end, output and what outlives it are seen; the harness that finds no fault must be able to find one."""

import subprocess
import sys
import time

import pytest

from abuse import child as module
from abuse.child import Child


@pytest.fixture(autouse=True)
def short_grace(monkeypatch):
    monkeypatch.setattr(module, "GRACE", 0.5)


def run(function, tmp_path, seconds=20):
    child = Child(function, tmp_path / "log")
    return child, child.finish(seconds)


def test_exit_codes_and_output_are_those_of_the_function(tmp_path):
    assert run(lambda: print("hello"), tmp_path)[1].output == "hello\n"
    assert run(lambda: 3, tmp_path)[1].code == 3
    assert run(lambda: sys.exit(4), tmp_path)[1].code == 4


def test_an_error_is_a_traceback(tmp_path):
    outcome = run(lambda: 1 // 0, tmp_path)[1]
    assert outcome.code == 1
    assert outcome.has_traceback


def test_a_kill_is_seen_as_its_signal(tmp_path):
    child = Child(lambda: time.sleep(60), tmp_path / "log")
    child.kill()
    assert child.wait(20).code == -9


def test_what_takes_too_long_counts_as_a_hang(tmp_path):
    assert run(lambda: time.sleep(60), tmp_path, seconds=0.2)[1].code == -14


def test_a_process_that_outlives_its_command_is_counted_and_ended(tmp_path):
    child, _ = run(lambda: subprocess.Popen(["sleep", "60"]) and 0, tmp_path)
    assert child.orphans() == 1
    time.sleep(0.1)
    assert not module.session(child.process)


def test_a_command_without_helpers_leaves_none(tmp_path):
    assert run(lambda: None, tmp_path)[0].orphans() == 0
