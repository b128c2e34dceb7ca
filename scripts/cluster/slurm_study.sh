#!/usr/bin/env bash
# A study (methods x splits x seeds) as one Slurm job on the cores of a node; its cells need no GPU. Adapt the #SBATCH lines, then
#   sbatch scripts/cluster/slurm_study.sh --dataset_dir /data/cohort --encoder_name uni2-h
# A job that is preempted or runs out of time puts itself back into the queue; cells with a result are not trained again.
#SBATCH --job-name=scangen-study
#SBATCH --array=0-0
#SBATCH --cpus-per-task=32
#SBATCH --mem=64G
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --output=scangen-study-%A.log
set -uo pipefail
cd "${SLURM_SUBMIT_DIR:-.}" || exit 1
export USER="${USER:-$(id -un)}"

job=
trap '[[ -z $job ]] || kill -TERM "$job"' TERM
"${PYTHON:-.venv/bin/python}" -W ignore -m monai.bundle run studying \
  --config_file configs/study.yaml --engine local --device cpu "$@" &
job=$!
while :; do # a signal ends the waiting, not the job
  wait "$job"
  code=$?
  kill -0 "$job" 2>/dev/null || break
done
if ((code == 130 || code == 143)); then # stopped early
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
