#!/usr/bin/env python
"""Pack a training run as a bundle for the model zoo, and its network as TorchScript. See docs/sharing.md.

python scripts/package_bundle.py --run_dir outputs/scangen --data_source "synthetic slides of scripts/make_phantom_cohort.py"
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
# For the same bytes each time: TorchScript writes a module's constants in the order of a set of strings, and sums over
# several threads differ in the last digit with their number.
REPEATABLE = {"PYTHONHASHSEED": "0"} | {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}

from scangen_bundle.errors import report_input_errors  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run = parser.add_mutually_exclusive_group(required=True)
    run.add_argument("--run_dir", type=Path, help="folder of an evaluated training")
    run.add_argument("--run_id", help="MLflow run of an evaluated training, whose files are taken from the store")
    parser.add_argument(
        "--features_dir", help="feature bags of the run's validation patients (default: the training's)"
    )
    parser.add_argument("--task", default="egfr", help="what the classes tell; names the bundle scangen_<task>")
    parser.add_argument(
        "--data_source",
        default="",
        help="the slides that the run learnt from and was tested on, a sentence (default: that nobody stated them)",
    )
    parser.add_argument("--outputs", type=Path, help="folder whose MLflow store is used (default: the run's, outputs)")
    parser.add_argument("--out", type=Path, help="folder to write to (default: dist)")
    parser.add_argument("--level", type=float, default=0.9, help="level of the prediction sets")
    parser.add_argument("--register", metavar="NAME", help="also make it a version of this model in MLflow's registry")
    args = parser.parse_args()
    report_input_errors()

    from scangen_bundle.runs.store import local_store
    from scangen_bundle.share.package import package_bundle
    from scangen_bundle.share.register import log_served_model
    from scangen_bundle.share.trained_run import fetch_run

    outputs = args.outputs or (args.run_dir.resolve().parent if args.run_dir else ROOT / "outputs")
    store = os.environ.get("MLFLOW_TRACKING_URI") or local_store(outputs)
    with tempfile.TemporaryDirectory() as folder:
        run_dir = args.run_dir or fetch_run(args.run_id, store, Path(folder))
        out = args.out or ROOT / "dist"
        packed = package_bundle(ROOT, run_dir, args.features_dir, args.task, out, args.level, args.data_source)
    print(packed.archive, packed.network, sep="\n")
    if args.register:
        print(log_served_model(packed.network, store, args.register))


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in REPEATABLE.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **REPEATABLE})
    main()
