"""Begin a project: find slides, guess what their files tell, write `manifest.csv` to be completed and `scangen.yaml`."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scangen_bundle.cli.options import NameType
from scangen_bundle.cli.project import NAME
from scangen_bundle.errors import InputError, some

if TYPE_CHECKING:
    from scangen_bundle.cli.find_slides import SlideFile

COLUMNS = ("slide_id", "specimen_id", "patient_id", "scanner", "label", "slide_path", "mpp", "file_mpp", "width_mm")
MEANINGS = {
    "specimen_id": "the glass; its scans on other scanners have the same",
    "patient_id": "whose it is",
    "scanner": "as you call it",
    "label": "0, 1, ... or a class's name; may stay empty",
    "mpp": "µm per pixel, which the file does not tell",
}
SHOWN = 20  # slides that are listed
PROJECT = """# What all commands of `scangen` share here and below; any setting of theirs may stand here. Research use only.
data_root: .  # folder of manifest.csv; features go there as well
allow_outside: {outside}  # whether slides may lie outside it
encoder: {encoder}  # scangen doctor lists them; this one knows {knows}
output: outputs  # of trainings
{tissue}"""


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--specimen", default="", metavar="PATTERN", help="Regular expression that finds the specimen in a file's path."
)
@click.option("--patient", default="", metavar="PATTERN", help="The same for the patient.")
@click.option("--encoder", default="efficientnet-lite0", type=NameType("encoder"), show_default=True)
@click.option("--tissue", type=NameType("tissue"), help="smear for smears and cytospins.")
def command(folder: Path, specimen: str, patient: str, encoder: str, tissue: str | None) -> None:
    """Begin: find the slides below FOLDER, write manifest.csv and scangen.yaml here.

    Scanner and resolution are guessed from the files. Complete the manifest, then: scangen check. Called again, it adds slides
    that are new.

    \b
      scangen init slides
      scangen init /data/slides --specimen '(S\\d+)_' --patient '(P\\d+)'
    """
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", "name the folder that holds the slides")
    for name, pattern in (("--specimen", specimen), ("--patient", patient)):
        check_pattern(name, pattern)
    click.echo(f"looking for slides in {folder}", err=True)
    slides, unreadable = collect(folder)
    if not slides:
        reason = f"; {len(unreadable)} files were no slides, the first: {unreadable[0]}" if unreadable else ""
        raise InputError(folder, f"holds no slide that can be read{reason}", "name another folder")
    here = Path.cwd()
    rows = make_rows(slides, here, specimen, patient)
    added = write_rows(here / "manifest.csv", rows)
    is_outside = any(os.path.isabs(row["slide_path"]) for row in rows)
    write_project(here / NAME, is_outside, encoder, tissue)
    click.echo(summary(rows, added, slides, unreadable))


def check_pattern(option: str, pattern: str) -> None:
    """Refuse what is no regular expression.

    Raises:
        InputError: it says why.
    """
    try:
        re.compile(pattern)
    except re.error as error:
        raise InputError(
            f"{option} {pattern}", f"is no regular expression: {error}", r"for example '(S\d+)_'"
        ) from error


def collect(folder: Path) -> tuple[list[SlideFile], list[InputError]]:
    """The slides below a folder, and why other files are none."""
    from scangen_bundle.cli.find_slides import SlideFile, find_slides, list_files
    from scangen_bundle.progress import with_bar

    results = list(with_bar(list(find_slides(list_files(folder))), "looking at slides", False))
    slides = [result for result in results if isinstance(result, SlideFile)]
    return slides, [result for result in results if isinstance(result, InputError)]


def make_rows(slides: Sequence[SlideFile], here: Path, specimen: str, patient: str) -> list[dict[str, str]]:
    """Rows of a manifest in the folder `here`; what no file tells is empty."""
    from scangen_bundle.cli import find_slides

    columns = {
        "slide_id": find_slides.name_slides(slides),
        "specimen_id": find_slides.guess_specimens(slides, specimen),
        "patient_id": find_slides.guess_patients(slides, patient),
        "scanner": find_slides.guess_scanners(slides),
        "label": [""] * len(slides),
        "slide_path": [_path(slide.path, here) for slide in slides],
        "mpp": [""] * len(slides),
        "file_mpp": [f"{slide.mpp[0]:.4g}" if slide.mpp else "" for slide in slides],
        "width_mm": [f"{slide.width_mm:.1f}" if slide.width_mm else "" for slide in slides],
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _path(path: Path, here: Path) -> str:
    """Relative to a folder where the file is below it, links followed; else absolute."""
    real = Path(os.path.realpath(path))
    below = Path(os.path.realpath(here))
    return real.relative_to(below).as_posix() if real.is_relative_to(below) else str(path.absolute())


def write_rows(path: Path, rows: Sequence[dict[str, str]]) -> int:
    """Write a manifest; where there is one, add the slides that it lacks and keep its rows.

    Returns:
        The number of rows that were written.

    Raises:
        InputError: the manifest that is there has no column slide_path, or is no UTF-8.
    """
    from scangen_bundle.files import write_atomically

    header, before = list(COLUMNS), ""
    if path.is_file():
        try:
            before = path.read_text("utf-8-sig")
        except ValueError as error:
            raise InputError(path, f"cannot be read ({error})", "save it as 'CSV UTF-8 (comma)'") from error
        reader = csv.DictReader(io.StringIO(before), delimiter=";" if ";" in before.partition("\n")[0] else ",")
        header = list(reader.fieldnames or ())
        if "slide_path" not in header:
            raise InputError(path, "is there already, without a column slide_path", "move it away, or add the column")
        present = {row["slide_path"] for row in reader}
        rows = [row for row in rows if row["slide_path"] not in present]
    text = io.StringIO()
    delimiter = ";" if before and ";" in before.partition("\n")[0] else ","
    writer = csv.DictWriter(text, header, restval="", extrasaction="ignore", delimiter=delimiter, lineterminator="\n")
    if not before:
        writer.writeheader()
    writer.writerows(rows)
    if rows:
        joint = "" if not before or before.endswith("\n") else "\n"
        with write_atomically(path) as temporary:
            temporary.write_text(before + joint + text.getvalue(), "utf-8")
    return len(rows)


def write_project(path: Path, is_outside: bool, encoder: str, tissue: str | None) -> None:
    """Write `scangen.yaml`; one that is there stays."""
    from scangen_bundle.encoders import ENCODERS
    from scangen_bundle.files import write_atomically

    if path.is_file():
        return
    knows = "photographs, not tissue" if ENCODERS[encoder].spec.domain != "pathology" else "tissue"
    line = f"tissue: {tissue}  # how tissue is found\n" if tissue else ""
    text = PROJECT.format(outside=str(is_outside).lower(), encoder=encoder, knows=knows, tissue=line)
    with write_atomically(path) as temporary:
        temporary.write_text(text, "utf-8")


def summary(
    rows: Sequence[dict[str, str]], added: int, slides: Sequence[SlideFile], unreadable: Sequence[InputError]
) -> str:
    """What was found, and what is left to do."""
    rest = ", the others were there" if added < len(rows) else ""
    lines = [f"{len(slides)} slides: {added} written to manifest.csv{rest}"]
    lines += [f"  {row['slide_id']}: {_description(row)}" for row in rows[:SHOWN]]
    if len(rows) > SHOWN:
        lines.append(f"  ... and {len(rows) - SHOWN} more")
    if unreadable:
        lines.append(f"{len(unreadable)} files are left out: {some([str(error) for error in unreadable], 3)}")
    lines += ["", "to complete in manifest.csv (a spreadsheet serves; commas, semicolons and .xlsx are read):"]
    for column, meaning in MEANINGS.items():
        given = "file_mpp" if column == "mpp" else column
        missing = [row["slide_id"] for row in rows if not row[given]]
        if missing:
            lines.append(f"  {column:<12} of {_count(missing, len(rows))}: {meaning}")
    return "\n".join([*lines, "then: scangen check"])


def _description(row: dict[str, str]) -> str:
    scanner = row["scanner"] or "scanner not told"
    return f"{scanner}, {row['file_mpp'] + ' µm/px' if row['file_mpp'] else 'no resolution'}" + (
        f", {row['width_mm']} mm wide" if row["width_mm"] else ""
    )


def _count(ids: Sequence[str], total: int) -> str:
    return f"all {total} rows" if len(ids) == total else f"{len(ids)} of {total} rows ({some(ids, 3)})"
