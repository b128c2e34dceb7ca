"""Two commands do not write to one run folder."""

import signal
import subprocess
import sys
import threading

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.runs import lock_folder, release_folder

HOLD = """
import sys
from scangen_bundle.runs import lock_folder
lock_folder(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(bundle_root):
    """Starts a process that holds a folder."""
    started = []

    def hold(folder):
        command = [sys.executable, "-c", HOLD, str(folder)]
        process = subprocess.Popen(command, cwd=bundle_root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_command_is_refused_while_the_first_runs_and_not_after_it(tmp_path, other):
    process = other(tmp_path / "run")
    with pytest.raises(InputError, match=r"run: another command is writing to this folder -> wait until it has ended"):
        lock_folder(tmp_path / "run")
    process.communicate("")
    assert list(tmp_path.iterdir()) == []  # it left nothing
    lock_folder(tmp_path / "run")
    release_folder(tmp_path / "run")


def test_a_killed_command_holds_nothing(tmp_path, other):
    process = other(tmp_path)
    process.kill()
    process.wait()
    lock_folder(tmp_path)
    release_folder(tmp_path)


def test_a_process_may_lock_what_it_holds_and_keeps_what_is_in_the_folder(tmp_path):
    (tmp_path / "result").touch()
    for _ in range(2):
        lock_folder(tmp_path)
    release_folder(tmp_path)
    release_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


@pytest.mark.parametrize("name", ["mlflow.db", "mlartifacts"])
def test_a_run_with_the_name_of_the_store_is_refused_before_it_makes_a_folder(tmp_path, name):
    with pytest.raises(InputError, match="the MLflow store's own files -> give another --run_name"):
        lock_folder(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_after_torchruns_restart_the_process_before_it_is_waited_for(tmp_path, other, monkeypatch):
    process = other(tmp_path)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    threading.Timer(0.5, process.kill).start()
    lock_folder(tmp_path)
    assert process.wait() == -signal.SIGKILL
    release_folder(tmp_path)
