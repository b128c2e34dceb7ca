"""The first word comes at once, and what is wrong with a command line is one line that helps."""

import subprocess
import sys

import click
import pytest
import yaml

from scangen_bundle.cli.jobs import JOBS
from scangen_bundle.cli.main import commands
from scangen_bundle.cli.project import find_project
from scangen_bundle.errors import InputError
from scangen_bundle.testing import make_manifest

HEAVY = ("torch", "monai", "pandas", "mlflow", "matplotlib", "ignite")


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["train", "--max-epoch", "3"], ["init", "--help"]], ids=str
)
def test_the_first_word_needs_no_heavy_import(bundle_root, words):
    script = (
        "import sys, time; start = time.process_time();"
        "from scangen_bundle.cli.main import main; main(sys.argv[1:]); seconds = time.process_time() - start;"
        f"print(seconds, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, *words]
    ended = subprocess.run(command, cwd=bundle_root, capture_output=True, text=True, check=True)
    seconds, imported = ended.stderr.splitlines()[-1].split(" ", 1)
    assert imported == "[]"
    assert float(seconds) < 1  # processor time: the machine may be busy


def test_help_lists_every_command_in_the_order_of_the_work(scangen):
    ended = scangen("--help")
    assert ended.code == 0
    lines = [line.split()[0] for line in ended.stdout.splitlines() if line.startswith("  ") and line.split()]
    names = commands.list_commands(click.Context(commands))
    assert {job.name for job in JOBS} <= set(names)
    assert [line for line in lines if line in names] == names
    assert "Exit codes: 0 done" in ended.stdout
    assert "Research use only" in ended.stdout


@pytest.fixture
def cohort(tmp_path):
    """A cohort of bags in a folder that a test may spoil."""
    return make_manifest(tmp_path / "my_cohort").parent


def without_column(path):
    path.write_text(path.read_text().replace("patient_id", "patient", 1))


def with_two_labels(path):
    lines = path.read_text().splitlines()
    cells = lines[1].split(",")
    label = lines[0].split(",").index("label")
    cells[label] = str(1 - int(cells[label]))
    path.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")


# What a new user typed, and what the one message has to say.
MISTAKES = [
    (["trian", "my_cohort"], 2, "there is no command 'trian': did you mean train"),
    (["training", "my_cohort"], 2, "there is no command 'training': did you mean train"),
    (["train", "my_cohrot"], 1, "my_cohrot: there is no such folder -> did you mean my_cohort?"),
    (["train", "my_cohort", "--max-epoch", "3"], 2, "No such option '--max-epoch'. Did you mean '--max-epochs'?"),
    (
        ["train", "my_cohort", "--max-epochs", "ten"],
        2,
        "'--max-epochs': 'ten' is not what is expected: whole number, 1 or more",
    ),
    (["train", "my_cohort", "--max-epochs", "0"], 2, "'0' is not what is expected: whole number, 1 or more"),
    (["train", "my_cohort", "--device", "gpu"], 2, "expected: cpu, cuda or cuda:0"),
    (["train", "my_cohort", "--split-fractions", "1,2,-1"], 2, "expected: numbers with commas, 0 to 1"),
    (["train", "my_cohort", "--encoder", "uni3"], 2, "there is no encoder 'uni3': did you mean uni"),
    (["train", "my_cohort", "--method", "shrnk"], 2, "there is no method 'shrnk': did you mean shrink?"),
    (["extract", "my_cohort", "--tissue", "smeer"], 2, "there is no tissue 'smeer': did you mean smear?"),
    (["train", "my_cohort", "--run-name", "$(evil)"], 2, "is an expression, which runs code"),
    (["train", "my_cohort", "--plugins", "mine.py"], 1, "--plugins mine.py: there is no such file"),
    (["train", "my_cohort", "extra"], 2, "Got unexpected extra argument (extra)"),
    (["train", "my_cohort", "--overlay", "nothing.yaml"], 1, "nothing.yaml: there is no such file"),
    (["train", "my_cohort", "--set", "max_epochs"], 1, "--set max_epochs: is no NAME=VALUE"),
    (["train"], 1, "there is neither a manifest.csv nor a scangen.yaml in this folder -> name the cohort's folder"),
    (["train", "."], 1, "there is no manifest.csv in this folder -> make it: scangen init ."),
    (["evaluate"], 1, "RUN: is not given -> no run in"),
    (["evaluate", "outputs/mine"], 1, "outputs/mine: there is no such run -> train one first: scangen train"),
    (["evaluate", "my_cohort"], 1, "holds no finished epoch of a training"),
    (["compare", "a", "b"], 1, "a: there is no such run"),
    (["init", "nowhere"], 1, "nowhere: there is no such folder"),
    (["init", "my_cohort", "--specimen", "("], 1, "is no regular expression"),
    (["doctor", "unii"], 1, "encoder 'unii': no encoder has this name -> did you mean uni"),
]


@pytest.mark.parametrize(
    ("words", "code", "message"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_mistake_is_one_message_that_helps(scangen, cohort, words, code, message):
    ended = scangen(*words)
    assert ended.code == code
    assert message in ended.stderr
    assert ended.stderr.count("error: ") == 1
    assert not (cohort.parent / "outputs").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(without_column, "column patient_id: this column is missing"), (with_two_labels, "row 3, column label")],
)
def test_a_bad_manifest_is_refused_by_the_row_or_column(scangen, cohort, spoil, message):
    spoil(cohort / "manifest.csv")
    ended = scangen("train", "my_cohort")
    assert ended.code == 1
    assert message in ended.stderr


def test_show_config_prints_the_command_of_monai_that_does_the_same(scangen, cohort, bundle_root):
    words = ["--unseen-scanners", "a,b c", "--method", "shrink", "--folds", "none", "--set", "network_def#mil_mode=att"]
    ended = scangen("train", "my_cohort", "--run_name", "2024_11", *words, "--show-config")
    assert ended.code == 0
    assert ended.stdout == (
        f"python -m monai.bundle run training --config_file {bundle_root}/configs/train.yaml "
        f"--bundle_root {cohort.parent} --dataset_dir {cohort} --run_name \"'2024_11'\" "
        "--unseen_scanners \"['a', 'b c']\" --folds '$None' --method shrink \"--network_def#mil_mode\" att\n"
    )


def test_what_a_project_says_once_holds_for_each_command_below_its_folder(scangen, cohort, monkeypatch):
    lines = ["data_root: my_cohort", "allow_outside: true", "encoder: uni2-h", "tissue: smear", "max_epochs: 7"]
    (cohort.parent / "scangen.yaml").write_text("\n".join(lines))
    monkeypatch.chdir(cohort)
    trained = scangen("train", "--show-config").stdout
    assert f"--dataset_dir {cohort} --allow_outside True --encoder_name uni2-h --max_epochs 7" in trained
    extracted = scangen("extract", "--encoder", "virchow2", "--show-config").stdout
    assert "configs/tissue/smear.yaml']" in extracted
    assert "--encoder_name virchow2" in extracted
    assert "max_epochs" not in extracted


def test_a_run_is_asked_for_what_it_knows_and_not_the_project(scangen, cohort):
    (cohort.parent / "scangen.yaml").write_text("data_root: my_cohort\nencoder: uni2-h\noutput: runs\n")
    run = cohort.parent / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "settings.yaml").write_text("network_def: {}\n")
    ended = scangen("evaluate", "--show-config")
    assert ended.stdout.split("evaluate.yaml ")[1] == f"--bundle_root {cohort.parent} --run_dir {run}\n"
    assert scangen("evaluate", "mine", "--show-config").stdout == ended.stdout
    predicted = scangen("predict", "mine", "my_cohort", "--show-config").stdout
    assert f"--dataset_dir {cohort} --prediction_dir {cohort}/predictions" in predicted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data_rot: a", "data_rot is no setting of any command -> did you mean"),
        ("data_root: $__import__('os').system('x')", "data_root is an expression"),
        ("encoder: {_target_: os.system}", "encoder_name is an expression|encoder is an expression"),
        ("encoder: a\nencoder_name: b", "gives encoder_name twice"),
        ("a: [", "cannot be read"),
        ("- a", "is no list of settings"),
    ],
)
def test_a_projects_file_that_is_wrong_is_refused(scangen, cohort, text, message):
    (cohort.parent / "scangen.yaml").write_text(text)
    ended = scangen("train", "my_cohort")
    assert ended.code == 1
    assert any(part in ended.stderr for part in message.split("|"))


def test_the_nearest_project_above_counts(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "scangen.yaml").write_text("seed: 1")
    (tmp_path / "a" / "scangen.yaml").write_text(yaml.safe_dump({"output": "x"}))
    project = find_project(tmp_path / "a" / "b")
    assert project.values == {"output_dir": str(tmp_path / "a" / "x")}
    (tmp_path / "a" / "scangen.yaml").write_bytes(b"\xff")
    with pytest.raises(InputError, match="cannot be read"):
        find_project(tmp_path / "a")


def test_completion_knows_commands_options_and_names(bundle_root):
    import os

    def complete(words):
        environment = {
            **os.environ,
            "_SCANGEN_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        command = [sys.executable, "-m", "scangen_bundle.cli"]
        return subprocess.run(
            command, cwd=bundle_root, env=environment, capture_output=True, text=True, check=False
        ).stdout

    assert "plain,train" in complete("scangen tr")
    assert "plain,--max-epochs" in complete("scangen train --max-e")
    assert "plain,uni2-h" in complete("scangen train --encoder uni")
