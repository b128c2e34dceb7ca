"""The package's first import: a user without a name, as in containers, is given one before MONAI asks for it."""

import os
import subprocess
import sys

import pytest

NO_PASSWD_ENTRY = """
import pwd
def refuse(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = refuse
"""


def run(folder, script, **environment):
    (folder / "sitecustomize.py").write_text(NO_PASSWD_ENTRY)
    places = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{folder}{os.pathsep}{os.getcwd()}",
        "MPLCONFIGDIR": str(folder),
    }
    done = subprocess.run([sys.executable, "-c", script], env=places | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("environment", "name"), [({}, f"uid{os.getuid()}"), ({"LOGNAME": "jane"}, "jane")])
def test_a_user_without_a_name_is_given_one(tmp_path, monkeypatch, bundle_root, environment, name):
    monkeypatch.chdir(bundle_root)
    script = "import scangen_bundle, getpass; print(getpass.getuser())"
    assert run(tmp_path, script, **environment) == name


def test_without_a_home_folder_the_cache_has_to_be_named(tmp_path, monkeypatch, bundle_root):
    monkeypatch.chdir(bundle_root)
    script = """
from scangen_bundle.encoders.families.efficientnet_lite import cache_folder
from scangen_bundle.errors import InputError
try:
    print(cache_folder())
except InputError as error:
    print(error)
"""
    assert "no home folder (HOME) -> set SCANGEN_CACHE" in run(tmp_path, script)
    assert run(tmp_path, script, SCANGEN_CACHE="/srv/cache") == "/srv/cache"
