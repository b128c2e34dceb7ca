"""Pack a training run as a bundle for the model zoo, and its network as TorchScript. See docs/sharing.md."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from scangen_bundle.cli.arguments import find_run
from scangen_bundle.cli.project import find_project
from scangen_bundle.settings.shipped import PACKAGE

# For the same bytes each time: TorchScript writes a module's constants in the order of a set of strings, and sums over
# several threads differ in the last digit with their number.
REPEATABLE = {"PYTHONHASHSEED": "0"} | {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


@click.command("pack")
@click.argument("run", required=False)
@click.option(
    "--mlflow-run", metavar="ID", help="Take the files of this evaluated run from MLflow's store, without a folder."
)
@click.option("--features-dir", help="Bags of the run's validation patients.  [default: the training's]")
@click.option(
    "--task", default="egfr", show_default=True, help="What the classes tell; names the bundle scangen_<task>."
)
@click.option("--data-source", default="", help="The slides that the run learnt from and was tested on, a sentence.")
@click.option(
    "--outputs", type=click.Path(path_type=Path), help="Folder whose MLflow store is used.  [default: the run's]"
)
@click.option(
    "--output", default="dist", type=click.Path(path_type=Path), show_default=True, help="Folder to write to."
)
@click.option("--level", default=0.9, show_default=True, help="Level of the prediction sets.")
@click.option("--register", metavar="NAME", help="Also make it a version of this model in MLflow's registry.")
def command(
    run: str | None,
    mlflow_run: str | None,
    features_dir: str | None,
    task: str,
    data_source: str,
    outputs: Path | None,
    output: Path,
    level: float,
    register: str | None,
) -> None:
    """A run as a bundle for the model zoo, and as TorchScript.

    \b
      scangen pack outputs/mine --data-source "slides of ..."
    """
    folder = None if mlflow_run else find_run(run, find_project(Path.cwd()))
    if any(os.environ.get(name) != value for name, value in REPEATABLE.items()):
        words = [sys.executable, "-m", "scangen_bundle.cli", *sys.argv[1:]]
        os.execve(sys.executable, words, {**os.environ, **REPEATABLE})
    from scangen_bundle.runs.store import local_store
    from scangen_bundle.share.package import package_bundle
    from scangen_bundle.share.register import log_served_model
    from scangen_bundle.share.trained_run import fetch_run

    store_folder = outputs or (folder.parent if folder else Path("outputs"))
    store = os.environ.get("MLFLOW_TRACKING_URI") or local_store(store_folder)
    with tempfile.TemporaryDirectory() as temporary:
        run_dir = folder or fetch_run(str(mlflow_run), store, Path(temporary))
        packed = package_bundle(PACKAGE.parent, run_dir, features_dir, task, output, level, data_source)
    click.echo(f"{packed.archive}\n{packed.network}")
    if register:
        click.echo(log_served_model(packed.network, store, register))
