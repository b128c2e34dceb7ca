"""Everything that can be known before work: manifest, files, encoder, disk, and the time that it will take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from scangen_bundle.cli.arguments import make_call
from scangen_bundle.cli.doctor import FAIL, NOTE, OK, Check, print_checks
from scangen_bundle.cli.jobs import JOBS
from scangen_bundle.cli.options import NameType
from scangen_bundle.errors import InputError, some
from scangen_bundle.names import is_remote

if TYPE_CHECKING:
    import pandas as pd

EXTRACT, TRAIN = (next(job for job in JOBS if job.name == name) for name in ("extract", "train"))


@click.command("check")
@click.argument("cohort", required=False, type=click.Path())
@click.option("--encoder", type=NameType("encoder"), help="Whose features are to be made.  [default: scangen.yaml's]")
@click.option(
    "--allow-outside/--no-allow-outside", default=None, help="Let the manifest name files outside its folder."
)
@click.option("--quick", is_flag=True, help="Open no slide and measure no time.")
def command(cohort: str | None, encoder: str | None, allow_outside: bool | None, quick: bool) -> None:
    """Everything that can be known before work: manifest, files, encoder, disk, time.

    It writes nothing. The exit code is 1 where something fails that work would stop at.
    """
    given = {"encoder_name": encoder, "allow_outside": allow_outside}
    call = make_call(EXTRACT, None, cohort, {name: value for name, value in given.items() if value is not None})
    settings = {"encoder_name": "efficientnet-lite0", "allow_outside": False, **call.settings}
    path = Path(settings.get("manifest_path") or Path(settings["dataset_dir"]) / "manifest.csv")
    click.echo(f"-- {path}")
    from scangen_bundle.cohort import load_manifest

    names = class_names(cohort)
    manifest = load_manifest(path, classes=len(names), class_names=names, allow_outside=settings["allow_outside"])
    failed = print_checks(check_cohort(manifest, names))
    click.echo("-- encoder")
    failed += print_checks(check_encoder(settings["encoder_name"]))
    features = Path(settings.get("features_dir") or Path(settings["dataset_dir"], "features", settings["encoder_name"]))
    todo = without_features(manifest, features)
    click.echo("-- features")
    failed += print_checks(check_features(manifest, todo, features))
    here = todo[~todo["slide_path"].map(is_remote)]
    if len(here) < len(todo):
        print_checks([Check("slides", NOTE, f"{len(todo) - len(here)} lie in a store and are not opened")])
    if not quick and len(here):
        from scangen_bundle.cli.estimate import check_slides, check_work

        click.echo("-- slides")
        failed += print_checks(check_slides(here))
        if not failed:
            click.echo("-- work")
            failed += print_checks(check_work(here, settings, call.files, features))
    click.echo(f"-- {failed} failed" if failed else f"-- ready: scangen {'extract' if len(todo) else 'train'}")
    if failed:
        click.get_current_context().exit(1)


def class_names(cohort: str | None) -> list[str]:
    """Of the labels 0, 1, ..., as training takes them."""
    call = make_call(TRAIN, None, cohort, {})
    default = yaml.safe_load(call.files[0].read_text("utf-8"))["class_names"]
    return list(call.settings.get("class_names", default))


def check_cohort(manifest: pd.DataFrame, names: Sequence[str]) -> Iterator[Check]:
    """What the manifest says: counts, labels, pairs, splits.

    Args:
        manifest: all scans.
        names: of the classes.
    """
    counts = manifest.nunique()
    yield Check(
        "scans",
        OK,
        f"{len(manifest)} of {counts['specimen_id']} specimens of {counts['patient_id']} patients",
    )
    scanners = manifest["scanner"].value_counts().sort_index()
    listed = some([f"{name} {count}" for name, count in scanners.items()], 12)
    yield Check(
        "scanners", OK if len(scanners) > 1 else NOTE, listed if len(scanners) > 1 else f"{listed}; training takes 2"
    )
    per_specimen = manifest.groupby("specimen_id")["scanner"].nunique()
    pairs = int((per_specimen > 1).sum())
    state = OK if pairs else NOTE
    yield Check("pairs", state, f"{pairs} of {len(per_specimen)} specimens were scanned on more than one scanner")
    yield _labels(manifest, names)
    yield _splits(manifest)


def _labels(manifest: pd.DataFrame, names: Sequence[str]) -> Check:
    patients = manifest[manifest["label"] >= 0].groupby("label")["patient_id"].nunique()
    listed = ", ".join(f"{label} ({names[label]}): {count} patients" for label, count in patients.items())
    unlabelled = int((manifest["label"] < 0).sum())
    rest = f"; {unlabelled} scans without" if unlabelled else ""
    if len(patients) < 2:
        return Check("labels", NOTE, f"{listed or 'none'}{rest}; training needs two classes, extracting none")
    return Check("labels", OK, listed + rest)


def _splits(manifest: pd.DataFrame) -> Check:
    from scangen_bundle.cohort import resolve_splits

    try:
        table = resolve_splits(manifest)
    except (InputError, ValueError) as error:
        return Check("splits", NOTE, f"training would refuse: {error}")
    counts = table.groupby("split")["patient_id"].nunique()
    return Check("splits", OK, ", ".join(f"{name} {counts.get(name, 0)} patients" for name in ("train", "val", "test")))


def check_encoder(name: str) -> Iterator[Check]:
    """Whether the encoder could be made here."""
    from scangen_bundle.encoders import ENCODERS
    from scangen_bundle.encoders.availability import check_availability

    spec = ENCODERS[name].spec
    ready, detail, remedy = check_availability(spec)
    yield Check(name, OK if ready else FAIL, detail if ready else f"{detail} -> {remedy}")
    if spec.domain != "pathology":
        yield Check(
            "knows", NOTE, f"{spec.domain}, not tissue; for work that matters take a pathology model (scangen doctor)"
        )


def without_features(manifest: pd.DataFrame, features: Path) -> pd.DataFrame:
    """The scans whose features are still to be made."""
    is_there = [
        bool(path) or (features / f"{slide_id}.h5").is_file()
        for slide_id, path in zip(manifest["slide_id"], manifest["features_path"], strict=True)
    ]
    return manifest[[not there for there in is_there]]


def check_features(manifest: pd.DataFrame, todo: pd.DataFrame, features: Path) -> Iterator[Check]:
    """Which scans have features, and whether those that the manifest names are there."""
    yield Check("features", OK, f"{len(manifest) - len(todo)} of {len(manifest)} scans have theirs in {features}")
    yield from check_paths(manifest, "features_path")
    yield from check_paths(todo, "slide_path")


def check_paths(manifest: pd.DataFrame, column: str) -> Iterator[Check]:
    """A failure where files of a column are missing."""
    rows: Any = manifest[manifest[column] != ""].itertuples()
    paths = {row.slide_id: getattr(row, column) for row in rows}
    missing = [f"{name}: {path}" for name, path in paths.items() if not (is_remote(path) or Path(path).exists())]
    if missing:
        yield Check(column, FAIL, f"{len(missing)} files are missing: {some(missing, 3)}")
