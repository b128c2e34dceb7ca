"""A mistyped setting ends a run before it begins."""

import json
import re
import shlex
import sys

import monai.bundle
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.settings import check_command_line, options_of, unknown_settings
from tests.conftest import ROOT

PROGRAM = "/somewhere/site-packages/monai/bundle/__main__.py"
TRAINING = ["run", "training", "--config_file", str(ROOT / "configs" / "train.yaml")]


def test_options_are_read_in_both_forms():
    words = ["run", "training", "--config_file", "a.yaml", "--seed=3", "--folds", "-1"]
    assert options_of(words) == {"config_file": "a.yaml", "seed": "3", "folds": "-1"}
    assert options_of([]) == {}


def test_a_nested_name_is_known_by_its_first_part():
    config = {"train": {"trainer": {}}, "seed": 0}
    options = dict.fromkeys(["train#trainer#max_epochs", "train::anything", "seed", "meta_file", "trian#trainer"], "1")
    assert unknown_settings(options, config) == ["trian#trainer"]


def test_a_mistyped_setting_is_named_with_what_was_meant(monkeypatch):
    monkeypatch.setattr(sys, "argv", [PROGRAM, *TRAINING, "--max_epoch", "3"])
    with pytest.raises(
        InputError, match=r"--max_epoch: .*train\.yaml has no such setting -> did you mean --max_epochs"
    ):
        check_command_line()


@pytest.mark.parametrize("words", [["run", "trainng"], ["run", "--run_id", "trainng"]])
def test_a_mistyped_step_is_named_with_what_was_meant(monkeypatch, words):
    monkeypatch.setattr(sys, "argv", [PROGRAM, *words, *TRAINING[2:]])
    with pytest.raises(InputError, match=r"run trainng: .* has nothing of this name to run -> did you mean training"):
        check_command_line()
    for right in (["run"], ["run", "train#trainer"]):
        monkeypatch.setattr(sys, "argv", [PROGRAM, *right, *TRAINING[2:]])
        check_command_line()


@pytest.mark.parametrize(("written", "meant"), [("false", "False"), ("null", "'$None'"), ("true", "True")])
def test_a_word_of_yaml_that_would_be_taken_for_a_text_is_refused(monkeypatch, written, meant):
    monkeypatch.setattr(sys, "argv", [PROGRAM, *TRAINING, "--resume", written])
    with pytest.raises(InputError, match=f"--resume {written}: is a text.* -> write --resume {re.escape(meant)}"):
        check_command_line()
    monkeypatch.setattr(sys, "argv", [PROGRAM, *TRAINING, "--resume", *shlex.split(meant)])
    check_command_line()


def test_a_none_that_monai_passes_over_is_refused_and_what_is_advised_reaches_the_setting(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(sys, "argv", [PROGRAM, *TRAINING, "--train#loss#class_weights", "None", "--meta_file", "None"])
    with pytest.raises(
        InputError, match=r"--train#loss#class_weights None: .* write --train#loss#class_weights '\$None'"
    ):
        check_command_line()
    config = tmp_path / "show.json"
    config.write_text(json.dumps({"tiles": 5, "show": ["$print('tiles:', @tiles)"]}))
    for value, meant in ((None, 5), ("$None", None)):
        monai.bundle.run(run_id="show", config_file=str(config), tiles=value)
        assert f"tiles: {meant}" in capsys.readouterr().out


def test_settings_of_any_of_several_files_are_known(monkeypatch):
    files = [str(ROOT / "configs" / name) for name in ("train.yaml", "evaluate.yaml")]
    monkeypatch.setattr(sys, "argv", [PROGRAM, "run", "evaluating", "--config_file", str(files), "--resamples", "9"])
    check_command_line()


@pytest.mark.parametrize("config_file", ["train.yaml", ["train.yaml", "evaluate.yaml"]], ids=["one", "list"])
def test_a_mistyped_setting_of_an_args_file_is_named(monkeypatch, tmp_path, config_file):
    monkeypatch.chdir(ROOT / "configs")
    arguments = {"config_file": config_file, "max_epochs": 3, "run_name": "true"}
    (tmp_path / "args.json").write_text(json.dumps(arguments))
    argv = [PROGRAM, "run", "training", "--args_file", str(tmp_path / "args.json")]
    monkeypatch.setattr(sys, "argv", argv)
    check_command_line()
    (tmp_path / "args.json").write_text(json.dumps({**arguments, "max_epohcs": 3}))
    with pytest.raises(InputError, match=r"--max_epohcs: .* did you mean --max_epochs"):
        check_command_line()
    monkeypatch.setattr(sys, "argv", [*argv, "--help"])
    with pytest.raises(SystemExit, match="0"):
        check_command_line()


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["/usr/bin/pytest", "--max_epoch", "3", "--config_file", "absent.yaml"], id="another program"),
        pytest.param(["-c"], id="a program without arguments"),
        pytest.param(
            [PROGRAM, "run_workflow", "--workflow_name", "ConfigWorkflow", *TRAINING[2:]], id="another command"
        ),
        pytest.param([PROGRAM, *TRAINING, "--tracking", "mlflow", "--experiment_name", "a"], id="MONAI's own tracking"),
    ],
)
def test_what_is_not_ours_to_judge_passes(monkeypatch, argv):
    monkeypatch.setattr(sys, "argv", argv)
    check_command_line()
