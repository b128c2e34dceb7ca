"""What is wrong with files is said before torch is imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from scangen_bundle.cli.bundle_call import BundleCall
from scangen_bundle.cli.jobs import Job
from scangen_bundle.errors import InputError

PAIRED = ("train", "study")  # they compare scanners


def check_before(job: Job, call: BundleCall) -> None:
    """Check the files that a call will read, as far as can be done in a second.

    Raises:
        InputError: the manifest breaks a rule, or the run's folder is none.
    """
    settings = call.settings
    for plugin in settings.get("plugins") or ():
        if not Path(plugin).is_file():
            raise InputError(f"--plugins {plugin}", "there is no such file", "check the path")
    if "run_dir" in settings:
        check_run(Path(settings["run_dir"]))
    if job.takes_cohort and "dataset_dir" in settings and not settings.get("dataset"):
        check_manifest(job, settings)


def check_run(folder: Path) -> None:
    """Refuse a folder that no training has written.

    Raises:
        InputError: it names what is missing.
    """
    if not (folder / "settings.yaml").is_file():
        raise InputError(folder, "holds no finished epoch of a training: no settings.yaml", "train it: scangen train")


def check_manifest(job: Job, settings: Mapping[str, Any]) -> None:
    """Read the manifest with all its rules.

    Raises:
        InputError: it breaks some.
    """
    path = settings.get("manifest_path") or Path(settings["dataset_dir"]) / "manifest.csv"
    click.echo(f"checking {path}", err=True)
    from scangen_bundle.cohort import load_manifest

    scanners = 2 if job.name in PAIRED else 1
    load_manifest(path, allow_outside=bool(settings.get("allow_outside")), min_scanners=scanners)
