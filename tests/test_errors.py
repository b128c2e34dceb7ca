"""Errors that a user can mend end a command with one message."""

import subprocess
import sys

from scangen_bundle.errors import InputError, find_input_error

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
