"""`--help` of a bundle command is answered from its config files."""

import sys

import pytest

from scangen_bundle.settings import check_command_line
from scangen_bundle.settings.help import help_text
from tests import commands
from tests.conftest import ROOT

PROGRAM = "/somewhere/site-packages/monai/bundle/__main__.py"
CONFIG = """# Measures something.
#   python -m monai.bundle run measuring
imports:
  - $import os

# --- where ---
folder: $@root + '/a'
long: $sum([1,
  2])
empty: []
chosen: [a, b]
# Two lines that
# explain it.
batch_size: 64  # tiles
tiling:  # of a slide
  overlap: 0.0
  seed: '@seed'
encoder:
  _target_: some.Class
  name: uni
  folder: $@folder
  weights: null  # a file

  deep:
    deeper: 1
other:
  _target_: some.Other
several:  # parts in a list have no names
  - _target_: some.First
    size: 1

measuring:
  - $@job.run()
run:
  - $@job.run()
finalize: []
"""


def test_a_files_comment_and_its_settings_with_their_values_and_comments_are_told(tmp_path):
    (tmp_path / "a.yaml").write_text(CONFIG)
    assert (
        help_text([tmp_path / "a.yaml"])
        == f"""{tmp_path}/a.yaml:
Measures something.
  python -m monai.bundle run measuring

# --- where ---
--folder $@root + '/a'
--long $sum([1,
  2])
--empty []
--chosen [a, b]
# Two lines that
# explain it.
--batch_size 64  # tiles
# of a slide
--tiling#overlap 0.0
--encoder#name uni
--encoder#weights '$None'  # a file

Any value of a part can be set as well (--part#name value): tiling, encoder, other"""
    )


def test_of_a_setting_of_several_files_the_last_is_told(tmp_path):
    (tmp_path / "a.yaml").write_text("# First.\nsize: 1\nother: 2\n")
    (tmp_path / "b.yaml").write_text("# Second.\n+imports: [$import os]\nsize: 3\n")
    told = help_text([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert told == f"{tmp_path}/a.yaml:\nFirst.\n\n--other 2\n\n{tmp_path}/b.yaml:\nSecond.\n\n--size 3\n"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_config_says_what_it_is_and_how_it_is_run(path):
    told = help_text([path])
    assert told.splitlines()[1].strip()
    assert "monai.bundle run" in told
    assert "--" in told


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_ends_the_command_with_0_before_any_work(monkeypatch, capsys, word):
    files = [str(ROOT / "configs" / name) for name in ("extract_features.yaml", "readers/cucim.yaml")]
    monkeypatch.setattr(sys, "argv", [PROGRAM, "run", "extracting", "--config_file", str(files), word])
    with pytest.raises(SystemExit) as caught:
        check_command_line()
    assert caught.value.code == 0
    told = capsys.readouterr().out
    assert "--reader#device cpu" in told
    assert "--reader auto" not in told
    assert "--encoder_name efficientnet-lite0" in told


def test_help_reaches_the_user_through_monais_own_command(tmp_path):
    command = [sys.executable, "-m", "monai.bundle", "run", "extracting"]
    command += ["--config_file", "configs/extract_features.yaml", "--dataset_dir", str(tmp_path), "--help"]
    done = commands.run(command, cwd=ROOT)
    assert done.returncode == 0
    assert "Slides to feature bags" in done.stdout
    assert "--mpp '$None'  # number or none, above 0; µm/px; none takes the encoder's" in done.stdout
    assert "error" not in done.stderr
    assert not list(tmp_path.iterdir())
