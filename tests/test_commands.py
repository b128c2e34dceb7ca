"""Commands that are forked from one parent end, print and fail as fresh ones do."""

import json
import os
import sys

import pytest

from tests import commands

WORDS = [
    ["-c", "import sys; print(sys.argv); sys.exit(3)", "a", "b"],
    ["-c", "import sys; sys.exit('a reason')"],
    ["-c", "1 / 0"],
    ["-c", "import os; os.kill(os.getpid(), 9)"],
    ["-c", "import atexit; atexit.register(print, 'the end'); print(__name__)"],
    ["-W", "ignore", "-c", "import warnings; warnings.warn('unheard')"],
    ["-m", "json.tool", "--help"],
    ["scripts/label_egfr.py", "--manifest", "none", "--table", "none", "--definition", "any", "--output", "none"],
]


@pytest.mark.parametrize("words", WORDS, ids=str)
def test_a_command_ends_and_prints_as_a_fresh_one(bundle_root, words):
    ended = [commands.run([sys.executable, *words], cwd=bundle_root, fresh=fresh) for fresh in (False, True)]
    assert ended[0].returncode == ended[1].returncode
    assert ended[0].stdout == ended[1].stdout
    assert ended[0].stderr.splitlines()[-1:] == ended[1].stderr.splitlines()[-1:]  # the frames of a traceback differ


def test_a_command_has_its_own_folder_and_environment(tmp_path):
    script = "import json, os; print(json.dumps([os.getcwd(), os.environ['MINE'], 'HOME' in os.environ]))"
    ended = commands.run([sys.executable, "-c", script], cwd=tmp_path, env={"MINE": "yes", "PATH": os.environ["PATH"]})
    assert json.loads(ended.stdout) == [str(tmp_path), "yes", False]


def test_commands_do_not_see_what_others_changed():
    script = "import scangen_bundle; print(hasattr(scangen_bundle, 'changed')); scangen_bundle.changed = 1"
    assert [commands.run([sys.executable, "-c", script]).stdout for _ in range(2)] == ["False\n"] * 2
