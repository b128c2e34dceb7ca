from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.studies.engine import ENGINES, LocalCores, WorkerDied
from tests.studies.pieces import die_of_thirteen, note_and_sleep, square


@pytest.mark.parametrize("name", ["here", "local"])
def test_every_piece_is_reported_once_with_its_result(name):
    results = {}
    ENGINES[name](2).run(square, range(20), lambda piece, result: results.setdefault(piece, []).append(result[0]))
    assert results == {piece: [piece**2] for piece in range(20)}


def test_workers_live_from_the_first_piece_to_the_last():
    processes = set()
    LocalCores(2).run(square, range(30), lambda piece, result: processes.add(result[1]))
    assert len(processes) <= 2
    assert os.getpid() not in processes


@pytest.mark.parametrize("name", ["here", "local"])  # Ray's is in tests/extraction/test_on_ray.py
def test_no_pieces_need_no_worker(name):
    ENGINES[name](2).run(square, [], lambda piece, result: pytest.fail("nothing was asked for"))


def test_a_piece_that_kills_its_worker_costs_no_other_piece():
    results = {}
    LocalCores(2).run(die_of_thirteen, range(10, 20), lambda piece, result: results.__setitem__(piece, result))
    died = results.pop(13)
    assert isinstance(died, WorkerDied)
    assert "killed" in died.reason
    assert results == {piece: -piece for piece in range(10, 20) if piece != 13}


def test_an_error_of_the_function_ends_the_run():
    with pytest.raises(TypeError):
        LocalCores(1).run(square, ["text"], lambda piece, result: None)


def test_workers_end_when_the_parent_is_killed(tmp_path):
    code = f"""
from functools import partial
from scangen_bundle.studies.engine import LocalCores
from tests.studies.pieces import note_and_sleep
if __name__ == "__main__":
    LocalCores(2).run(partial(note_and_sleep, {str(tmp_path)!r}), [1, 2], print)
"""
    script = tmp_path / "parent.py"
    script.write_text(code)
    root = Path(__file__).resolve().parents[2]
    parent = subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(root)})
    workers = _until(lambda: [int(path.stem) for path in tmp_path.glob("*.pid")], lambda found: len(found) == 2)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _until(lambda: [pid for pid in workers if _lives(pid)], lambda found: not found) == []


def test_workers_end_when_the_report_fails(tmp_path):
    def fail(piece, result):
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        LocalCores(2).run(partial(_sleep_or_square, str(tmp_path)), [0, 1], fail)
    assert time.monotonic() - start < 60


def _sleep_or_square(folder, piece):
    return note_and_sleep(folder, piece) if piece else square(piece)


def test_an_unknown_engine_names_those_that_exist():
    with pytest.raises(InputError, match="here, local"):
        ENGINES["cluster"]


def _until(look, is_enough, seconds=60):
    end = time.monotonic() + seconds
    while not is_enough(found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
