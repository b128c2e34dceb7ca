"""From what is typed to a call of the bundle: the project's settings, then the command line's over them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scangen_bundle.cli.bundle_call import BundleCall
from scangen_bundle.cli.config_files import nearest, overlay_file
from scangen_bundle.cli.jobs import Job
from scangen_bundle.cli.project import NAME, PATHS, Project, find_project
from scangen_bundle.errors import InputError
from scangen_bundle.settings.shipped import configs_folder

MANIFESTS = ("manifest.csv", "manifest.xlsx")
TABLES = (".csv", ".tsv", ".txt", ".xlsx")
# What a run knows by itself.
KNOWN_TO_RUN = frozenset(
    (
        *("dataset_dir", "manifest_path", "features_dir", "encoder_name", "allow_outside", "class_names", "task"),
        *("plugins", "output_dir", "run_name", "method", "tissue"),
    )
)


def make_call(
    job: Job, run: str | None, cohort: str | None, given: Mapping[str, Any], overlays: Sequence[str] = ()
) -> BundleCall:
    """The call of a job.

    Args:
        job: what is run.
        run: the run's folder or name as typed; None takes the only one.
        cohort: folder or manifest of the cohort as typed; None takes the project's.
        given: settings that were typed.
        overlays: config files that were typed.

    Raises:
        InputError: there is no such run or cohort, or the project's file has an entry that no config has.
    """
    config = configs_folder() / job.config
    project = find_project(Path.cwd())
    check_names(project)
    names = top_level(config)
    settings: dict[str, Any] = {"bundle_root": str(project.folder)}
    inherited = {name: value for name, value in project.values.items() if name in names}
    if job.takes_run:
        settings["run_dir"] = str(find_run(run, project))
        inherited = {name: value for name, value in inherited.items() if name not in KNOWN_TO_RUN}
        if cohort is not None and "allow_outside" in project.values:
            inherited["allow_outside"] = project.values["allow_outside"]
    if job.takes_cohort and not (job.takes_run and cohort is None):
        place = cohort_settings(cohort, project, needs_manifest="dataset" not in given)
        if cohort is not None and place.get("dataset_dir") != project.values.get("dataset_dir"):
            inherited = {
                n: v for n, v in inherited.items() if n not in ("dataset_dir", "manifest_path", "features_dir")
            }
        inherited.update(place)
    if job.takes_run and cohort is not None:
        inherited.setdefault("prediction_dir", str(Path(inherited["dataset_dir"]) / "predictions"))
    settings.update(inherited)
    settings.update(
        {name: os.path.abspath(value) if name in PATHS and value else value for name, value in given.items()}
    )
    files = [config, *(overlay_file("", name) for name in overlays)]
    if isinstance(settings.get("tissue"), str):
        files.append(overlay_file("tissue", settings.pop("tissue")))
    return BundleCall(job.step, files, settings)


def top_level(config: Path) -> list[str]:
    """Names of a config's entries."""
    return re.findall(r"^(\w+):", config.read_text("utf-8"), re.M)


def check_names(project: Project) -> None:
    """Refuse entries of the project's file that no config has.

    Raises:
        InputError: it names the first, and what was meant.
    """
    if project.path is None:
        return
    names = sorted({name for config in configs_folder().glob("*.yaml") for name in top_level(config)})
    for name in project.values:
        if name not in names:
            raise InputError(project.path, f"{name} is no setting of any command", nearest(name, names))


def cohort_settings(typed: str | None, project: Project, needs_manifest: bool = True) -> dict[str, str]:
    """Settings that say where the cohort is: a folder with a manifest, or a manifest.

    Raises:
        InputError: there is none.
    """
    if typed is None and ("dataset_dir" in project.values or "manifest_path" in project.values):
        typed = project.values.get("manifest_path") or project.values["dataset_dir"]
    place = Path(typed or ".").absolute()
    if place.suffix.lower() in TABLES:
        if not place.is_file():
            raise InputError(place, "there is no such manifest", _similar(place))
        return {"dataset_dir": str(place.parent), "manifest_path": str(place)}
    manifest = next((place / name for name in MANIFESTS if (place / name).is_file()), None)
    if manifest is None and needs_manifest:
        if typed is None:
            problem = f"there is neither a manifest.csv nor a {NAME} in this folder"
            raise InputError(place, problem, "name the cohort's folder, or begin with: scangen init SLIDES")
        if not place.is_dir():
            raise InputError(typed, "there is no such folder", _similar(place))
        raise InputError(typed, "there is no manifest.csv in this folder", f"make it: scangen init {typed}")
    settings = {"dataset_dir": str(place)}
    if manifest is not None and manifest.name != MANIFESTS[0]:
        settings["manifest_path"] = str(manifest)
    return settings


def find_run(typed: str | None, project: Project) -> Path:
    """The folder of a run: as typed, or of this name in the output folder; the only one there where none is typed.

    Raises:
        InputError: there is no such run, or several where none is typed; it lists those that there are.
    """
    outputs = Path(project.values.get("output_dir", project.folder / "outputs"))
    runs = sorted(path.parent for path in outputs.glob("*/settings.yaml"))
    names = [run.name for run in runs]
    if typed is None:
        if len(runs) == 1:
            return runs[0].absolute()
        listed = f"runs in {outputs}: {', '.join(names)}" if names else f"no run in {outputs}; train one: scangen train"
        raise InputError("RUN", "is not given", listed)
    for place in (Path(typed), outputs / typed):
        if place.is_dir():
            return place.absolute()
    hint = nearest(Path(typed).name, names) if names else "train one first: scangen train"
    raise InputError(typed, "there is no such run", hint)


def _similar(place: Path) -> str:
    beside = sorted(path.name for path in place.parent.iterdir()) if place.parent.is_dir() else []
    return nearest(place.name, beside) if len(beside) < 1000 and beside else "check the path"
