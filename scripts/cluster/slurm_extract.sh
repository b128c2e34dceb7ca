#!/usr/bin/env bash
# Features of a cohort by a Slurm array: each task takes the shard of its number, on one GPU. Adapt the #SBATCH lines, then
#   sbatch scripts/cluster/slurm_extract.sh --dataset_dir /data/cohort --encoder_name uni2-h
# A task that is preempted or runs out of time puts itself back into the queue and resumes. docs/scale.md tells more.
#SBATCH --job-name=scangen-extract
#SBATCH --array=0-7
#SBATCH --cpus-per-task=8
#SBATCH --gpus=1
#SBATCH --mem=16G
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --output=scangen-extract-%A_%a.log
set -uo pipefail
cd "${SLURM_SUBMIT_DIR:-.}" || exit 1
export HF_HUB_OFFLINE="${HF_HUB_OFFLINE:-1}" # compute nodes often have no network: fetch the weights beforehand
export USER="${USER:-$(id -un)}"

job=
trap '[[ -z $job ]] || kill -TERM "$job"' TERM
"${PYTHON:-.venv/bin/python}" -W ignore -m monai.bundle run extracting \
  --config_file configs/extract_features.yaml --shard auto "$@" &
job=$!
while :; do # a signal ends the waiting, not the job
  wait "$job"
  code=$?
  kill -0 "$job" 2>/dev/null || break
done
# 0: all done. 3: some slides failed for good. 1: the request is wrong. 130, 143: stopped early.
if ((code == 130 || code == 143)); then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
