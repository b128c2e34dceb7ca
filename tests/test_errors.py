"""Errors that a user can mend end a command with one message."""

import os
import pickle
import subprocess
import sys

import pytest
import torch
from monai.bundle import ConfigParser

from scangen_bundle.errors import InputError, find_input_error, listed

SCRIPT = """
from scangen_bundle.errors import InputError, report_input_errors
report_input_errors()
def config_parser():
    try:
        raise {error}
    except Exception as cause:
        raise RuntimeError("failed to evaluate") from cause
config_parser()
"""


def run(error, bundle_root):
    command = [sys.executable, "-c", SCRIPT.format(error=error)]
    return subprocess.run(command, capture_output=True, text=True, cwd=bundle_root, check=False)


def test_an_input_error_is_shown_alone_through_any_wrapper(bundle_root):
    ended = run("InputError('m.csv row 3', 'no patient_id', 'fill it in')", bundle_root)
    assert ended.returncode == 1
    assert ended.stderr == "error: m.csv row 3: no patient_id -> fill it in\n"


def test_of_very_many_problems_the_first_are_listed_and_the_others_counted():
    assert listed("3 problems", ["a", "b", "c"]) == "3 problems\n  a\n  b\n  c\n"
    lines = listed("20000 problems", [f"row {row}" for row in range(2, 20_002)]).splitlines()
    assert lines[1:101] == [f"  row {row}" for row in range(2, 102)]
    assert lines[101:] == ["  ... and 19900 more"]


@pytest.mark.parametrize(
    ("target", "settings", "message"),
    [
        (
            "scangen_bundle.methods.ScanGenLoss",
            {"alpha": 2},
            "ScanGenLoss: expected alpha from 0 to 1, got 2 -> correct",
        ),
        (
            "scangen_bundle.methods.ScanGenLoss",
            {"alpha": "x"},
            None,
        ),  # a TypeError: the program's fault, for all it knows
        ("torch.nn.Dropout", {"p": 2}, None),  # not ours
    ],
)
def test_a_value_that_a_component_of_a_config_refuses_is_the_users_to_mend(target, settings, message):
    with pytest.raises(RuntimeError, match="Failed to instantiate") as caught:
        ConfigParser({"component": {"_target_": target, **settings}}).get_parsed_content("component")
    found = find_input_error(caught.value)
    assert found is None if message is None else str(found).startswith(message)


def test_a_command_ends_with_the_exit_code_of_the_error(bundle_root):
    script = """
from scangen_bundle.errors import InputError, report_input_errors
report_input_errors()
error = InputError("bags", "7 of 9 slides failed")
error.exit_code = 7
raise error
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=bundle_root, check=False)
    assert (ended.returncode, ended.stderr) == (7, "error: bags: 7 of 9 slides failed\n")


def test_an_input_error_that_an_engine_logs_and_passes_on_is_shown_once(bundle_root):
    script = """
import logging
logging.basicConfig(format="%(levelname)s %(message)s")
from ignite.engine import Engine
from scangen_bundle.errors import InputError, report_input_errors
report_input_errors()
def step(engine, batch):
    logging.getLogger("room").warning("%d bags", 3)
    raise {error}
Engine(step).run([0])
"""
    kept = "WARNING 3 bags\n"
    for error, shown in (
        ("InputError('a.h5', 'NaN')", kept + "error: a.h5: NaN\n"),
        ("KeyError('bug')", kept + "ERROR Current run is terminating due to exception: 'bug'\n"),
    ):
        command = [sys.executable, "-c", script.format(error=error)]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=bundle_root, check=False)
        assert ended.stderr.startswith(shown)
    assert "Traceback" in ended.stderr


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("PermissionError(13, 'Permission denied', 'outputs/a')", "error: outputs/a: permission denied -> "),
        ("OSError(30, 'Read-only file system', 'outputs')", "error: outputs: read-only file system -> "),
        ("FileExistsError(17, 'File exists', 'outputs')", "error: outputs: file exists -> "),
        ("OSError(28, 'No space left on device')", "error: the disk: no space left on device -> free some space"),
        ("OSError(122, 'Disk quota exceeded', 'a')", "error: a: disk quota exceeded -> free some space"),
        ("OSError(5, 'Input/output error', 'a')", "error: a: input/output error -> check the disk"),
    ],
)
def test_a_folder_that_takes_nothing_is_told_in_a_line(bundle_root, error, shown):
    ended = run(error, bundle_root)
    assert ended.returncode == 1
    assert ended.stderr.startswith(shown)
    assert ended.stderr.count("\n") == 1


FULL = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB of which 1.20 GiB is free. Of the "
    "allocated memory 5.1 GiB is allocated by PyTorch."
)


def test_a_full_gpu_is_reported_in_a_line(bundle_root):
    ended = run(f"type('OutOfMemoryError', (RuntimeError,), {{}})({FULL!r})", bundle_root)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: the GPU's memory: CUDA out of memory. Tried to allocate 2.00 GiB -> lower")
    assert ended.stderr.count("\n") == 1
    assert issubclass(torch.OutOfMemoryError, RuntimeError)


STOPPED = """
import logging, os, signal, sys, time
logging.basicConfig(format="%(levelname)s %(message)s")
from tqdm import tqdm
{wrapper}
from scangen_bundle.errors import report_input_errors
report_input_errors()
def work(*_):
    try:
        with tqdm(total=9, desc="working") as bar:
            bar.update(3)
            os.kill(os.getpid(), signal.{signal})
            time.sleep(60)
    finally:
        print("bookkeeping is done")
{call}
"""
PLAIN = {"wrapper": "", "call": "work()"}
ENGINE = {"wrapper": "from ignite.engine import Engine", "call": "Engine(work).run([0])"}


@pytest.mark.parametrize("wrapped", [PLAIN, ENGINE], ids=["plain", "in an engine"])
@pytest.mark.parametrize(("signal", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")])
def test_a_stopped_command_does_its_bookkeeping_and_says_in_a_line_how_to_resume(
    bundle_root, wrapped, signal, code, word
):
    command = [sys.executable, "-c", STOPPED.format(signal=signal, **wrapped)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=bundle_root, timeout=50, check=False)
    assert ended.returncode == code
    assert ended.stdout == "bookkeeping is done\n"
    lines = [line for line in ended.stderr.splitlines() if line and "working:" not in line]
    assert lines == [f"{word}: finished work is kept, and the same command resumes"]


def test_a_progress_bar_does_not_swallow_the_errors_line(bundle_root):
    script = """
from tqdm import tqdm
from scangen_bundle.errors import InputError, report_input_errors
report_input_errors()
bar = tqdm(total=9, desc="working", file=None)
bar.update(3)
raise InputError("a.svs", "is cut short")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=bundle_root, check=False)
    assert ended.stderr.splitlines()[-1] == "error: a.svs: is cut short"


def test_a_fault_that_arises_while_the_disk_is_dealt_with_keeps_its_traceback():
    def fallback():
        try:
            raise FileExistsError(17, "File exists", "outputs")
        except FileExistsError:
            raise KeyError("bug")  # noqa: B904

    with pytest.raises(KeyError) as caught:
        fallback()
    assert find_input_error(caught.value) is None


def test_any_other_error_keeps_its_traceback(bundle_root):
    ended = run("KeyError('bug')", bundle_root)
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert "KeyError: 'bug'" in ended.stderr


def test_the_input_error_is_found_behind_wrappers():
    inner = InputError("file", "problem")
    middle, outer = RuntimeError("parser"), RuntimeError("engine")
    middle.__cause__ = inner
    outer.__context__ = middle
    assert find_input_error(outer) is inner
    assert find_input_error(KeyError()) is None


def test_an_error_comes_back_whole_from_another_process():
    sent = InputError("a.svs", "is cut short", "copy it again")
    came = pickle.loads(pickle.dumps(sent))
    assert (str(came), came.where, came.problem, came.remedy) == (str(sent), "a.svs", "is cut short", "copy it again")


def test_text_that_the_terminals_encoding_lacks_is_printed_with_plain_signs(bundle_root):
    code = "from scangen_bundle.errors import report_input_errors; report_input_errors(); print('0.8–0.9 µ −1')"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=bundle_root, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0.8-0.9 ? ?1\n"
