"""A mistyped setting ends a run before it begins."""

import json
import re
import shlex
import sys

import monai.bundle
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.settings.command_line import (
    check_command_line,
    files_of,
    options_of,
    positional_words,
    unknown_settings,
)
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
    with pytest.raises(
        InputError, match=r"run trainng: is no step -> did you mean training\? .*train.yaml can run training"
    ):
        check_command_line()
    monkeypatch.setattr(sys, "argv", [PROGRAM, "run", *TRAINING[2:]])
    check_command_line()


@pytest.mark.parametrize("word", ["train", "validate", "train#trainer", "max_epochs"])
def test_a_part_of_the_configuration_is_not_run_since_it_would_train_nothing(monkeypatch, word):
    monkeypatch.setattr(sys, "argv", [PROGRAM, "run", word, *TRAINING[2:]])
    with pytest.raises(
        InputError, match=rf"run {word}: is a part of the configuration, not a step -> .*can run training"
    ):
        check_command_line()


def test_a_second_file_outside_the_brackets_is_answered_by_the_right_way(monkeypatch):
    monkeypatch.setattr(sys, "argv", [PROGRAM, *TRAINING, "configs/tissue/smear.yaml", "--seed", "1"])
    with pytest.raises(
        InputError, match=r"'configs/tissue/smear.yaml' is neither a step nor an option -> write two files"
    ):
        check_command_line()
    with pytest.raises(InputError, match=r"--config_file \[a.yaml,b.yaml\]: is no list of files -> write two files as"):
        files_of("[a.yaml,b.yaml]")


def test_words_that_belong_to_no_option_are_told_from_values():
    assert positional_words(["run", "training", "--seed", "-1", "--a=b", "c.yaml", "-h", "d"]) == [
        *("run", "training", "c.yaml", "d"),
    ]


def refused(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", [PROGRAM, *TRAINING, *words])
    with pytest.raises(InputError) as caught:
        check_command_line()
    return str(caught.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--dataset_dir", "cohort#2"],
            "--dataset_dir cohort#2: arrives as the text 'cohort', not as it was typed -> write --dataset_dir ",
        ),
        (
            ["--class_names", "[wild type, EGFR]"],
            "--class_names [wild type, EGFR]: is the text '[wild type, EGFR]', expected list of text -> "
            "write --class_names \"['wild type', 'EGFR']\"",
        ),
        (
            ["--run_name", "2024_11_28"],
            "--run_name 2024_11_28: arrives as the number 20241128, not as it was typed -> write --run_name \"'2024_11_28'\"",
        ),
        (
            ["--run_name", "1e5"],
            "--run_name 1e5: arrives as the number 100000.0, not as it was typed -> write --run_name \"'1e5'\"",
        ),
        (
            ["--run_name", "a,b"],
            "--run_name a,b: arrives as the list ('a', 'b'), not as it was typed -> write --run_name \"'a,b'\"",
        ),
        (
            ["--unseen_scanners", "3"],
            "--unseen_scanners 3: is the number 3, expected list of text -> write --unseen_scanners \"['3']\"",
        ),
        (
            ["--unseen_scanners", "scanner-6"],
            "--unseen_scanners scanner-6: is the text 'scanner-6', expected list of text -> "
            "write --unseen_scanners \"['scanner-6']\"",
        ),
        (["--max_epochs", "ten"], "--max_epochs ten: is the text 'ten', expected whole number, 1 or more"),
        (["--max_epochs", "0"], "--max_epochs 0: is the number 0, expected whole number, 1 or more"),
        (["--max_epochs", "2.5"], "--max_epochs 2.5: is the number 2.5, expected whole number, 1 or more"),
        (["--learning_rate", "0"], "--learning_rate 0: is the number 0, expected number, above 0"),
        (["--device", "gpu"], "--device gpu: is the text 'gpu', expected cpu, cuda or cuda:0, cuda:1, ..."),
        (["--resume", "1"], "--resume 1: is the number 1, expected True or False"),
        (["--folds", "1"], "--folds 1: is the number 1, expected whole number or '$None', 2 or more"),
        (["--network_def#mil_mode", "3"], "--network_def#mil_mode 3: arrives as the number 3"),
    ],
)
def test_a_value_of_another_type_or_range_is_refused_with_what_to_write(monkeypatch, words, said):
    assert refused(monkeypatch, *words).startswith(said)


@pytest.mark.parametrize(
    "words",
    [
        *(
            ["--dataset_dir", "$'cohort\\x232'"],
            ["--run_name", "'2024_11_28'"],
            ["--class_names", "['wild type','EGFR']"],
        ),
        *(["--device", "cuda:1"], ["--folds", "$None"], ["--folds", "5"], ["--learning_rate", "1"], ["--seed", "0"]),
        *(
            ["--output_dir", "/x/o 50%25 x"],
            ["--dataset_dir", "a dir"],
            ["--method_options", "{'scangen': {'weight': 10}}"],
        ),
        *(["--max_epochs", "$2*3"], ["--train#trainer#max_epochs", "4"], ["--network_def#dropout", "0.5"]),
    ],
    ids=str,
)
def test_values_that_their_settings_can_have_pass(monkeypatch, words):
    monkeypatch.setattr(sys, "argv", [PROGRAM, *TRAINING, *words])
    check_command_line()


def test_values_of_later_files_are_checked_like_typed_ones(monkeypatch, tmp_path):
    (tmp_path / "mine.yaml").write_text("max_epochs: ten\n")
    files = str([str(ROOT / "configs" / "train.yaml"), str(tmp_path / "mine.yaml")])
    monkeypatch.setattr(sys, "argv", [PROGRAM, "run", "training", "--config_file", files])
    with pytest.raises(InputError, match=r"mine.yaml: max_epochs is 'ten', expected whole number, 1 or more"):
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
    files = [str(ROOT / "configs" / name) for name in ("extract_features.yaml", "tissue/smear.yaml")]
    monkeypatch.setattr(sys, "argv", [PROGRAM, "run", "extracting", "--config_file", str(files), "--batch_size", "9"])
    check_command_line()


@pytest.mark.parametrize("config_file", ["train.yaml", ["train.yaml", "methods/plain.yaml"]], ids=["one", "list"])
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
