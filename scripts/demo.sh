#!/usr/bin/env bash
# The README's steps in a row: cohort, features, training without and with ScanGen, evaluation, comparison; then three methods
# compared on all specimens by cross-validation, whose table it ends with.
# Every step resumes what an earlier run finished.
set -euo pipefail
cd "$(dirname "$0")/.."

data=data/phantom
out=outputs/demo
unseen="['scanner-6']"
run() { .venv/bin/python -W ignore -m monai.bundle run "$@" --logging_file configs/logging.conf; }

scangen() { .venv/bin/python -m scangen_bundle.cli "$@"; }

scangen phantom "$data"
run extracting --config_file configs/extract_features.yaml --dataset_dir "$data"
for name in without_scangen with_scangen; do
  options=(--dataset_dir "$data" --output_dir "$out" --run_name "$name" --unseen_scanners "$unseen")
  [ "$name" = with_scangen ] || options+=(--method plain)
  run training --config_file configs/train.yaml "${options[@]}"
  if [ "$out/$name/metrics.json" -nt "$out/$name/models/best.pt" ]; then continue; fi
  run evaluating --config_file configs/evaluate.yaml --run_dir "$out/$name"
done
scangen compare "$out/without_scangen" "$out/with_scangen" --output "$out/comparison"
run studying --config_file "['configs/study.yaml','configs/studies/demo.yaml']" --dataset_dir "$data"

cat <<END

Written:
  $data/manifest.csv, $data/preview.png      the cohort, and one field on all scanners
  $out/<run>/report.html, metrics.json       per-scanner evaluation of each training
  $out/comparison/                           the paired comparison of two trainings
  $out/study/study.html                      three methods, cross-validated on all specimens
  $out/mlflow.db                             the MLflow store; to look at it:
      .venv/bin/mlflow ui --backend-store-uri sqlite:///$PWD/$out/mlflow.db
Research use only.
END
