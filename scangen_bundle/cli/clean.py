"""Say what lies where and how large, and remove what can be made again."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from scangen_bundle.cli.project import Project, find_project

REMOVABLE = ("features", "leftovers", "cache", "environments")


@dataclass(frozen=True)
class Place:
    """A file or folder that commands have written.

    Attributes:
        kind: one of `REMOVABLE`, or what is never removed: "runs", "packed".
        path: of it.
        note: what it is, or what making it again takes.
    """

    kind: str
    path: Path
    note: str

    def size(self) -> int:
        """Bytes on the disk; links are not followed."""
        if self.path.is_file() or self.path.is_symlink():
            return self.path.lstat().st_size
        files = (Path(folder, name) for folder, _, names in os.walk(self.path) for name in names)
        return sum(file.lstat().st_size for file in files if file.exists())


def list_places(project: Project) -> Iterator[Place]:
    """What the commands of a project have written, and what all projects of this machine share."""
    data = Path(project.values.get("dataset_dir", project.folder))
    outputs = Path(project.values.get("output_dir", project.folder / "outputs"))
    for folder in sorted(data.glob("features/*")):
        if folder.is_dir():
            yield Place("features", folder, "scangen extract makes them again")
    yield Place("runs", outputs, "trainings, their reports and MLflow's store")
    yield Place("packed", project.folder / "dist", "packed bundles")
    yield from _leftovers(project.folder, data)
    yield from _shared()


def _leftovers(folder: Path, data: Path) -> Iterator[Place]:
    """Files of killed commands and of libraries."""
    for pattern in ("features/*/.*.tmp.h5", "features/*/tissue/.*.tmp.jpg", "features/*/.locks"):
        for path in sorted(data.glob(pattern)):
            yield Place("leftovers", path, "of a command that was killed")
    for name in ("cufile.log", "eval", "mlruns"):
        yield Place("leftovers", folder / name, "of a library")


def _shared() -> Iterator[Place]:
    home = Path(
        os.environ.get("SCANGEN_ENV_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "scangen_bundle")
    )
    home = home.expanduser()
    in_use = {Path(entry).resolve() for entry in sys.path if entry}
    for environment in sorted(path.parent for path in home.glob("*py3*/complete")):
        if not any(entry.is_relative_to(environment.resolve()) for entry in in_use):
            yield Place("environments", environment, "not of this clone; make env builds one again")
        else:
            yield Place("environment", environment, "of this clone, in use")
    cache = Path(os.environ.get("SCANGEN_CACHE", home))
    for path in sorted(cache.glob("*.onnx")):
        yield Place("cache", path, "an encoder; made again when needed")


def size_text(number: int) -> str:
    """A size for people."""
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if number >= 2**power:
            return f"{number / 2**power:.1f} {unit}"
    return f"{number} B"


@click.command("clean")
@click.argument("kinds", nargs=-1, type=click.Choice(REMOVABLE))
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
def command(kinds: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """What lies where and how large; remove what can be made again.

    Without KINDS nothing is removed. Slides, manifests and runs never are.
    """
    places = [place for place in list_places(find_project(Path.cwd())) if place.path.exists()]
    chosen = [place for place in places if place.kind in kinds]
    shown = chosen if kinds else places
    total = 0
    for place in shown:
        size = place.size()
        total += size
        click.echo(f"{place.kind:<12} {size_text(size):>10}  {place.path}  ({place.note})")
    click.echo(f"{'in all':<12} {size_text(total):>10}")
    if not kinds or not chosen:
        click.echo(
            f"to remove some: scangen clean {'|'.join(REMOVABLE)}" if not kinds else "there is nothing to remove"
        )
        return
    if dry_run or not (yes or click.confirm(f"remove these {len(chosen)}?")):
        click.echo("nothing was removed")
        return
    for place in chosen:
        shutil.rmtree(place.path) if place.path.is_dir() and not place.path.is_symlink() else place.path.unlink()
    click.echo(f"removed {len(chosen)}")
