"""The cohort manifest: a table with one row per scan, read with every rule checked, and written back.

Columns: `slide_id`, `specimen_id`, `patient_id`, `scanner`, `label`, `slide_path` and/or `features_path`, and
optionally `mpp`, `split` and `tissue`. Further columns are kept as text.
"""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from scangen_bundle.errors import InputError, listed, some
from scangen_bundle.files import write_atomically
from scangen_bundle.names import is_remote, unsafe_name
from scangen_bundle.tables import read_rows
from scangen_bundle.units import PLAUSIBLE_MPP

IDS = ("slide_id", "specimen_id", "patient_id", "scanner")
PATHS = ("slide_path", "features_path")
COLUMNS = (*IDS, "label", *PATHS, "mpp", "split")
SPLITS = ("train", "val", "test", "excluded")
TISSUES = ("section", "smear")  # of the further column `tissue`, in a cohort of both
UNLABELLED = -1
SINGLE_ROWS = 3  # with one problem that a message lists each for itself
# Names of figures over scanners (`auroc/mean` beside `auroc/<scanner>`) and of two of them (`flip_rate/<a> vs <b>`), as in
# measures.predictions, which imports nothing of ours.
RESERVED = ("mean", "worst", "range", "mean_seen", "mean_unseen")
BETWEEN = " vs "


class Violation(NamedTuple):
    """One broken rule. `line` counts as a text editor does (the header is 1); 0 stands for the whole file."""

    line: int
    column: str
    problem: str

    def __str__(self) -> str:
        row = f"row {self.line}, " if self.line else ""
        return f"{row}column {self.column}: {self.problem}"


def load_manifest(
    path: str | os.PathLike[str],
    *,
    classes: int | None = None,
    class_names: Sequence[str] = (),
    allow_outside: bool = False,
    min_scanners: int = 1,
) -> pd.DataFrame:
    """Read a manifest and check all of its rules before any work starts.

    The rules: ids are given, and safe as file names; `slide_id` is unique; a specimen has one patient and one label; a
    patient is in one of train, val and test; labels are whole numbers from 0; a scan has a slide or a feature bag; a
    stated mpp is plausible; a scanner is not named like a figure; no id and no scanner is spelt in two ways; paths stay
    below the manifest's folder, symbolic links followed.

    An empty label says "unlabelled", not "another label": a specimen may have labelled and unlabelled scans. The
    unlabelled ones stay so (the label is not copied to them): they can serve the pairs of ScanGen, but neither the task
    loss nor the AUROC.

    Args:
        path: the table, CSV in UTF-8 or .xlsx. Relative paths in it start at its folder.
        classes: number of classes; labels have to be below it.
        class_names: of the labels 0, 1, ...; a label may be written by its name. Where neither these nor `classes` are given,
            other labels than numbers are numbered in the order of the alphabet.
        allow_outside: accept files that are not below the manifest's folder.
        min_scanners: the fewest scanners that the job can do with (ScanGen needs 2).

    Returns:
        One row per scan, in the file's order: ids and `scanner` (str), `label` (int64, -1 = unlabelled), `slide_path`
        and `features_path` (absolute path as str, "" = none), `mpp` (float64, NaN = take the file's), `split` ("train",
        "val", "test", "excluded", or "" = not assigned), then any further column as str. Files need not exist; see
        `check_files`. With `allow_outside` a slide may lie in an object store (`s3://bucket/a.svs`).

    Raises:
        InputError: one error with all the violations, each with its row and column.
    """
    table, ragged = _read_table(Path(path))
    # Not resolved: where the manifest is a link, its relative paths start at the folder that the user sees.
    folder = Path(os.path.abspath(path)).parent
    unnamed = _number_labels(table, class_names, are_free=classes is None)
    violations = sorted(
        [
            *ragged,
            *unnamed,
            *_missing_columns(table),
            *_bad_ids(table),
            *_several_values(table, "specimen_id", "patient_id"),
            *_several_values(table, "specimen_id", "label"),
            *_bad_labels(table, classes),
            *_bad_paths(table, folder, allow_outside),
            *_bad_mpp(table),
            *_bad_splits(table),
            *_bad_tissues(table),
            *_bad_scanners(table),
            *_spelt_alike(table),
            *_too_few_scanners(table, min_scanners),
        ]
    )
    if violations:
        count = "1 problem" if len(violations) == 1 else f"{len(violations)} problems"
        raise InputError(
            path,
            listed(f"{count} in the manifest (row 1 is the header)", _together(violations, len(table))),
            "correct the rows named above and start again; nothing was written",
        )
    return _typed(table, folder)


def write_manifest(manifest: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a manifest (as from `load_manifest`) as CSV, whole or not at all.

    Paths below the folder of `path` are written relative to it, others as they are; label -1 and NaN mpp become empty.
    """
    folder = Path(os.path.abspath(path)).parent
    further = [column for column in manifest.columns if column not in COLUMNS]
    ours = [column for column in COLUMNS if column in manifest.columns]
    table = manifest[ours + further].copy()
    for column in set(PATHS) & set(table.columns):
        table[column] = [_relative(value, folder) for value in table[column]]
    if "label" in table:
        table["label"] = ["" if label == UNLABELLED else str(label) for label in table["label"]]
    with write_atomically(path) as temporary:
        table.to_csv(temporary, index=False)


def check_files(manifest: pd.DataFrame, column: str) -> None:
    """Check that every scan has its file in `column` (`slide_path` or `features_path`).

    Raises:
        InputError: one error that names all scans whose file is not given or not there.
    """
    missing = []
    for slide, path in zip(manifest["slide_id"], manifest[column], strict=True):
        if not path:
            missing.append(f"slide {slide}: no {column} is given")
        elif not (is_remote(path) or os.path.exists(path)):
            missing.append(f"slide {slide}: no such file: {path}")
    if missing:
        raise InputError(
            f"column {column}",
            listed(f"{len(missing)} of {len(manifest)} files are missing", missing),
            "correct the paths in the manifest or bring the files",
        )


def _read_table(path: Path) -> tuple[pd.DataFrame, list[Violation]]:
    """The cells as stripped text, indexed by the line on which each row starts, and the rows of another length."""
    if not path.exists():
        raise InputError(path, "there is no such manifest", "check the path, or make the manifest first: scangen init")
    numbered = read_rows(path)
    lines, rows = [line for line, _ in numbered], [row for _, row in numbered]
    if len(rows) < 2:
        problem = "the manifest has a header but no rows" if rows else "the manifest is empty"
        raise InputError(path, problem, f"write a header and one row per scan; the columns are {', '.join(COLUMNS)}")

    header, cells = rows[0], rows[1:]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputError(
            path, f"row {lines[0]}: the header has a column twice: {twice}", "give each column its own name"
        )
    whole, ragged = [], []
    for line, row in zip(lines[1:], cells, strict=True):
        if len(row) == len(header):
            whole.append((line, row))
        else:
            problem = f"{len(row)} cells, but the header has {len(header)}; put text with commas in quotes"
            ragged.append(Violation(line, "(all)", problem))
    table = pd.DataFrame([row for _, row in whole], columns=header, index=[line for line, _ in whole], dtype=str)
    return table, ragged


def _together(violations: Sequence[Violation], rows: int) -> list[str]:
    """Lines for a message; a problem of many rows of a column is one."""
    lines: dict[tuple[str, str], list[int]] = {}
    for violation in violations:
        lines.setdefault((violation.column, violation.problem), []).append(violation.line)
    texts = []
    for (column, problem), numbers in lines.items():
        if len(numbers) <= SINGLE_ROWS:
            texts += [str(Violation(number, column, problem)) for number in numbers]
        else:
            where = "all rows" if len(numbers) == rows else f"{len(numbers)} rows from {numbers[0]} to {numbers[-1]}"
            texts.append(f"{where}, column {column}: {problem}")
    return texts


def _number_labels(table: pd.DataFrame, class_names: Sequence[str], are_free: bool) -> list[Violation]:
    """Put numbers in place of names in the column `label`; names that are none of the classes are given back."""
    if "label" not in table:
        return []
    texts = sorted({text for text in table["label"] if text and not _is_label(text)})
    if not texts:
        return []
    names = class_names or (texts if are_free and len(texts) > 1 else ())
    if not names:
        return []
    numbers = {name.casefold(): str(number) for number, name in enumerate(names)}
    violations = []
    for line, text in _cells(table, "label"):
        if text in texts:
            number = numbers.get(text.casefold())
            if number is None:
                remedy = "name the classes in the order of the labels 0, 1, ..., the positive one last, such as"
                example = f'--class-names "negative,positive" with {some(texts)} in their places'
                problem = f"{text!r} is none of the classes {', '.join(class_names)}; {remedy} {example}"
                violations.append(Violation(line, "label", problem))
            table.loc[line, "label"] = number or ""
    return violations


def _cells(table: pd.DataFrame, column: str) -> Iterator[tuple[int, str]]:
    """(line, text) of a column; nothing where the manifest lacks it, which `_missing_columns` reports."""
    return zip(table.index, table[column], strict=True) if column in table else iter(())


def _missing_columns(table: pd.DataFrame) -> Iterator[Violation]:
    present = f"the file has {', '.join(map(repr, table.columns))}"
    for column in (*IDS, "label"):
        if column not in table:
            hint = "; leave its cells empty where there is no label" if column == "label" else ""
            yield Violation(0, column, f"this column is missing{hint} ({present})")
    if not set(PATHS) & set(table.columns):
        yield Violation(0, " or ".join(PATHS), f"one of these columns is needed ({present})")


def _bad_ids(table: pd.DataFrame) -> Iterator[Violation]:
    for column in IDS:
        for line, text in _cells(table, column):
            if problem := unsafe_name(text):
                yield Violation(line, column, problem)
    first: dict[str, int] = {}
    for line, text in _cells(table, "slide_id"):
        if text and first.setdefault(text, line) != line:
            yield Violation(line, "slide_id", f"{text!r} is already in row {first[text]}; each scan needs its own id")


def _several_values(table: pd.DataFrame, key: str, value: str) -> Iterator[Violation]:
    """Rows whose `value` differs from that of the first row with the same `key`; empty cells are no value."""
    if key not in table or value not in table:
        return
    first: dict[str, tuple[int, str]] = {}
    for line, name, text in zip(table.index, table[key], table[value], strict=True):
        if not name or not text:
            continue
        if value == "label" and _is_label(text):
            text = str(_label(text))
        first_line, first_text = first.setdefault(name, (line, text))
        if text != first_text:
            owner, owned = key.removesuffix("_id"), value.removesuffix("_id")
            problem = f"another {owned} than in row {first_line}, which is the same {owner}; a {owner} has one {owned}"
            yield Violation(line, value, problem)


def _is_label(text: str) -> bool:
    return re.fullmatch(r"\d{1,18}(\.0*)?", text, re.ASCII) is not None  # 18 digits fit into int64


def _label(text: str) -> int:
    """Label of a cell; "1.0" is 1, as pandas writes a column of whole numbers with gaps."""
    return int(text.partition(".")[0]) if text else UNLABELLED


def _bad_labels(table: pd.DataFrame, classes: int | None) -> Iterator[Violation]:
    for line, text in _cells(table, "label"):
        if text and not _is_label(text):
            yield Violation(line, "label", f"{text!r} is not a whole number from 0; leave it empty where there is none")
        elif classes is not None and _label(text) >= classes:
            yield Violation(line, "label", f"{text} is outside 0 to {classes - 1} ({classes} classes)")


def _bad_paths(table: pd.DataFrame, folder: Path, allow_outside: bool) -> Iterator[Violation]:
    columns = [column for column in PATHS if column in table]
    real_folder = Path(os.path.realpath(folder))
    for column in columns:
        for line, text in _cells(table, column):
            if "\\" in text and not os.path.exists(folder / text):
                yield Violation(line, column, f"{text!r} has backslashes, as Windows writes paths; write them with /")
            elif text and not text.isprintable():
                yield Violation(line, column, f"{text!r} has a character that does not print")
            elif is_remote(text) and column == "features_path":
                yield Violation(line, column, f"{text!r} is not on a file system; copy the features to one")
            elif text and not allow_outside and not _is_below(_absolute(text, folder), real_folder):
                remedy = "move it there, or set allow_outside to permit it"
                yield Violation(line, column, f"{text!r} leads out of the manifest's folder; {remedy}")
    if columns:
        for line, texts in zip(table.index, table[columns].to_numpy(), strict=True):
            if not any(texts):
                yield Violation(line, " or ".join(PATHS), "both are empty; a scan needs a slide or a feature bag")


def _absolute(text: str, folder: Path) -> str:
    """A path of the manifest's folder on; an address of an object store stays as it is."""
    return text if is_remote(text) else os.path.abspath(folder / text)


def _is_below(path: str, real_folder: Path) -> bool:
    return not is_remote(path) and Path(os.path.realpath(path)).is_relative_to(real_folder)


def _bad_mpp(table: pd.DataFrame) -> Iterator[Violation]:
    low, high = PLAUSIBLE_MPP
    for line, text in _cells(table, "mpp"):
        try:
            value = float(text) if text else math.nan
        except ValueError:
            yield Violation(line, "mpp", f"{text!r} is not a number; give µm per pixel such as 0.25, or leave it empty")
            continue
        if text and not low <= value <= high:
            problem = f"{text} µm/px is not plausible; expected {low} to {high}, or empty to take the file's"
            yield Violation(line, "mpp", problem)


def _bad_splits(table: pd.DataFrame) -> Iterator[Violation]:
    for line, text in _cells(table, "split"):
        if text and text not in SPLITS:
            yield Violation(line, "split", f"{text!r} is unknown; expected {', '.join(SPLITS)} or empty")
    if "split" in table:
        # A scan may be excluded whatever its patient's split.
        yield from _several_values(table[table["split"].isin(["train", "val", "test"])], "patient_id", "split")


def _bad_tissues(table: pd.DataFrame) -> Iterator[Violation]:
    for line, text in _cells(table, "tissue"):
        if text and text not in TISSUES:
            yield Violation(line, "tissue", f"{text!r} is unknown; expected {', '.join(TISSUES)} or empty")


def _bad_scanners(table: pd.DataFrame) -> Iterator[Violation]:
    for line, text in _cells(table, "scanner"):
        if text in RESERVED:
            yield Violation(line, "scanner", f"{text!r} is the name of a figure over scanners; rename this scanner")
        elif BETWEEN in text:
            yield Violation(line, "scanner", f"{text!r} reads as a pair of scanners; leave out {BETWEEN.strip()!r}")


def _spelt_alike(table: pd.DataFrame) -> Iterator[Violation]:
    """Texts that differ from an earlier one by their spelling alone: `GT450` and `gt 450`, `1` and `1.0`.

    Two spellings of one scanner would be two scanners everywhere, and a specimen's scans no pair.
    """
    for column in IDS:
        first: dict[str, tuple[int, str]] = {}
        said: set[str] = set()
        for line, text in _cells(table, column):
            owner, spelling = first.setdefault(_bare(text, column), (line, text))
            if text != spelling and text not in said:
                said.add(text)
                same = f"{text!r} differs from {spelling!r} in row {owner} by its spelling alone"
                yield Violation(line, column, f"{same}; write one name in one way, and two names more differently")


def _bare(text: str, column: str) -> str:
    """A text without what people write in different ways: case, the form of accents, `.0`, and separators of a scanner."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    if column == "scanner":
        return re.sub(r"[\W_]+", "", plain) or plain
    return re.sub(r"^(\d+)\.0+$", r"\1", plain)


def _too_few_scanners(table: pd.DataFrame, least: int) -> Iterator[Violation]:
    if "scanner" not in table:
        return
    scanners = sorted(set(table["scanner"]) - {""})
    if 0 < len(scanners) < least:
        yield Violation(0, "scanner", f"{len(scanners)} scanner(s) {scanners}, but this job compares at least {least}")


def _typed(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The checked text as the columns of the contract, then the further ones."""
    further = [column for column in table.columns if column not in COLUMNS]
    typed = table.reset_index(drop=True).reindex(columns=[*COLUMNS, *further], fill_value="")
    typed["label"] = np.array([_label(text) for text in typed["label"]], dtype=np.int64)
    typed["mpp"] = np.array([float(text or "nan") for text in typed["mpp"]], dtype=np.float64)
    for column in PATHS:
        typed[column] = pd.Series([_absolute(text, folder) if text else "" for text in typed[column]], dtype=str)
    return typed


def _relative(path: str, folder: Path) -> str:
    # The second base: the caller may have resolved the path through a link above the folder.
    for base in (folder, Path(os.path.realpath(folder))):
        if path and Path(path).is_relative_to(base):
            return Path(path).relative_to(base).as_posix()
    return path
