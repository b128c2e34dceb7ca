"""Tables that people make: CSV with commas, semicolons or tabs, and .xlsx. One reader for manifests, labels and predictions."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable
from pathlib import Path

from scangen_bundle.errors import InputError

SEPARATORS = (",", ";", "\t")
ZIP = b"PK\x03\x04"  # an .xlsx is a ZIP archive, whatever its name


def read_rows(path: str | os.PathLike[str]) -> list[tuple[int, list[str]]]:
    """The rows of a table that hold any text, each with its line: its cells as stripped text.

    The separator is that of the header. Where it is a semicolon, as spreadsheets write it in countries with a decimal comma,
    a cell "0,25" becomes "0.25". Of an .xlsx the first sheet is read.

    Args:
        path: of the table.

    Returns:
        Lines count as a text editor does; a row over several lines has the one on which it starts.

    Raises:
        InputError: there is no such file, or it is no table.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(path, "there is no such table", "check the path") from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "give a readable CSV or .xlsx file") from error
    if content.startswith(ZIP):
        return _numbered(enumerate(_sheet(path, content), start=1))
    try:
        text = content.decode("utf-8-sig")
        return _numbered(_csv_rows(text))
    except (UnicodeDecodeError, csv.Error) as error:
        problem = f"this is not a CSV file in UTF-8: {error}"
        raise InputError(path, problem, "save it as 'CSV UTF-8', or as .xlsx") from error


def comma_separated(path: str | os.PathLike[str]) -> Path | io.StringIO:
    """What pandas reads of a table as CSV with commas: the file itself where it is one.

    Raises:
        InputError: it is no table.
    """
    path = Path(path)
    with open(path, "rb") as file:
        head = file.readline()
    if not head.startswith(ZIP) and (b"," in head or not re.search(rb"[;\t]", head)):
        return path
    text = io.StringIO()
    csv.writer(text).writerows(row for _, row in read_rows(path))
    text.seek(0)
    return text


def _numbered(rows: Iterable[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    stripped = [(line, [cell.strip() for cell in row]) for line, row in rows]
    return [(line, row) for line, row in stripped if any(row)]


def _csv_rows(text: str) -> Iterable[tuple[int, list[str]]]:
    header = text.lstrip("\r\n").partition("\n")[0]
    separator = next((sign for sign in SEPARATORS if sign in header), ",")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    start = 1
    for row in reader:
        yield start, [_with_point(cell) for cell in row] if separator == ";" else row
        start = reader.line_num + 1


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if re.fullmatch(r"\s*-?\d+,\d+\s*", cell) else cell


def _sheet(path: Path, content: bytes) -> list[list[str]]:
    """The cells of the first sheet.

    Raises:
        InputError: the file is no .xlsx.
    """
    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        rows = [[_text(value) for value in row] for row in book.worksheets[0].iter_rows(values_only=True)]
    except Exception as error:  # openpyxl raises many kinds for a damaged file
        problem = f"cannot be read as .xlsx ({type(error).__name__})"
        raise InputError(path, problem, "save it again, or as 'CSV UTF-8'") from error
    width = max((len(row) - _trailing(row) for row in rows), default=0)
    return [row[:width] + [""] * (width - len(row)) for row in rows]


def _trailing(row: list[str]) -> int:
    """Number of empty cells at the end."""
    return len(row) - max((index + 1 for index, cell in enumerate(row) if cell), default=0)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
