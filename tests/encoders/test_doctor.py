"""The doctor finds what is wrong with an environment, and its table is the one in the documentation."""

import sys
from importlib import metadata
from pathlib import Path
from unittest.mock import Mock

import pytest

from scangen_bundle.cli import doctor
from scangen_bundle.encoders import ENCODERS
from scangen_bundle.encoders.availability import check_availability
from scangen_bundle.encoders.table import encoder_table
from tests import commands

from .conftest import COMMIT, add_to_cache

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_of_the_documentation_is_the_registrys():
    text = (ROOT / "docs" / "encoders.md").read_text()
    between = text.split("<!-- registry -->")[1].split("<!-- end of registry -->")[0].strip()
    assert between == encoder_table().strip(), "run scangen doctor --markdown and paste it"


def test_the_table_has_a_row_for_each_encoder_with_its_terms():
    lines = encoder_table().splitlines()[2:]
    assert len(lines) == len(ENCODERS)
    rows = {line.split("`")[1]: line for line in lines}
    for name, entry in ENCODERS.items():
        line = rows[name]
        assert f"| `{name}` | {entry.spec.domain} |" in line
        assert f"| {entry.spec.licence} |" in line
        assert ("trust_remote_code" in line) == entry.spec.trust_remote_code


def test_an_encoder_that_is_asked_for_and_not_here_ends_with_1_and_the_way_to_get_it(monkeypatch, hub_cache, capsys):
    monkeypatch.setattr(doctor, "check_versions", lambda requirements: iter(()))
    assert doctor.examine(["uni", "colour-statistics"], online=False) == 1
    printed = capsys.readouterr().out
    assert "hf download MahmoodLab/UNI" in printed
    assert "ok    colour-statistics" in printed
    assert "-- 1 failed" in printed
    assert doctor.examine(["colour-statistics", "efficientnet-lite0"], online=False) == 0


def test_an_unknown_encoder_is_told_in_one_line(bundle_root):
    done = commands.run([sys.executable, "-m", "scangen_bundle.cli", "doctor", "unii"], cwd=bundle_root)
    assert done.returncode == 1
    assert done.stderr.startswith("error: encoder 'unii'")
    assert "Traceback" not in done.stderr


def test_versions_are_compared_with_the_pins():
    here = metadata.version("numpy")
    pins = f"# comment\nnumpy=={here}\ntorch==0.1  # old\nno-such-package==1.0\nonly-there==1; python_version < '3'\n"
    states = {check.subject: check for check in doctor.check_versions(pins.splitlines())}
    assert states["numpy"].state == "ok"
    assert states["torch"].state == "note"
    assert "tested with ==0.1" in states["torch"].detail
    assert states["no-such-package"].state == "FAIL"
    assert "only-there" not in states


def test_the_readers_of_this_environment_work():
    states = {check.subject: check.state for check in doctor.check_readers()}
    assert states["reader openslide"] == states["reader tifffile"] == "ok"


def test_a_cache_that_cannot_be_made_is_a_failure(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SCANGEN_CACHE", str(tmp_path / "file" / "cache"))
    cache = next(check for check in doctor.check_folders() if check.subject == "cache")
    assert cache.state == "FAIL"
    assert "SCANGEN_CACHE" in cache.detail


def test_availability_follows_the_cache(hub_cache):
    spec = ENCODERS["virchow"].spec
    assert not check_availability(spec).ready
    weights = add_to_cache(hub_cache, spec.hub_id) / "pytorch_model.bin"
    weights.write_bytes(b"weights")
    assert check_availability(spec) == (True, f"{weights} ({COMMIT[:12]})", "")


def test_a_configuration_without_weights_is_not_ready(hub_cache):
    snapshot = add_to_cache(hub_cache, "owkin/phikon")
    (snapshot / "config.json").write_text("{}")
    found = check_availability(ENCODERS["phikon"].spec)
    assert not found.ready
    assert "no model.safetensors or pytorch_model.bin of owkin/phikon" in found.detail
    assert "hf download owkin/phikon" in found.remedy


def test_a_missing_package_is_named(hub_cache):
    found = check_availability(ENCODERS["conch"].spec)
    assert not found.ready
    assert "package conch" in found.detail
    assert "pip install" in found.remedy


@pytest.mark.parametrize(
    ("error", "told"),
    [(None, "grants access"), ("GatedRepoError", "ask for access at"), ("OfflineModeIsEnabled", "cannot be asked")],
)
def test_the_hubs_answer_becomes_a_sentence(monkeypatch, error, told):
    from huggingface_hub import HfApi, errors

    def auth_check(self, repo_id):
        assert repo_id == "paige-ai/Virchow"
        if error == "GatedRepoError":
            raise errors.GatedRepoError("no", response=Mock())
        if error:
            raise errors.OfflineModeIsEnabled("offline")

    monkeypatch.setattr(HfApi, "auth_check", auth_check)
    assert told in doctor.ask_hub(ENCODERS["virchow"].spec)
