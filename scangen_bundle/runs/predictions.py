"""Tables of predictions: a row per scan, as CSV and Parquet."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pandas as pd

from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.tables import comma_separated

# Columns that are text; the short names are people's own.
TEXT_COLUMNS = ("slide_id", "specimen_id", "patient_id", "scanner", "slide", "specimen", "patient")


def write_predictions(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write the table as CSV and, next to it, as Parquet."""
    with write_atomically(path) as temporary:
        table.to_csv(temporary, index=False)
    with write_atomically(Path(path).with_suffix(".parquet")) as temporary:
        table.to_parquet(temporary, index=False)


def read_predictions(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a predictions CSV with its ids as text (`007` stays `007`, a patient `NA` is no gap) and exact numbers.

    Raises:
        InputError: the file is missing, is no table, or is cut short.
    """
    if not Path(path).is_file():
        raise InputError(path, "there is no such file", "give the CSV that an evaluation or a training wrote")
    if not Path(path).stat().st_size:
        raise InputError(path, "the file is empty", "give a CSV of predictions with a header")
    try:
        text = _whole_text(Path(path))
        columns = pd.read_csv(io.StringIO(text), nrows=0).columns
        gaps = {name: [""] for name in columns if name not in TEXT_COLUMNS}
        return pd.read_csv(
            io.StringIO(text),
            dtype=dict.fromkeys(TEXT_COLUMNS, str),
            na_values=gaps,
            keep_default_na=False,
            float_precision="round_trip",
        )
    except pd.errors.EmptyDataError:
        raise InputError(path, "holds no table", "give a CSV of predictions with a header") from None
    except (pd.errors.ParserError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"this is no CSV table ({error})", "write it as CSV with a header, UTF-8") from error


def _whole_text(path: Path) -> str:
    """The table as CSV with commas; refused is what pandas reads in silence: other text, ragged rows, a last cell that was cut.

    Raises:
        InputError: it names the line.
    """
    source = comma_separated(path)
    text = source.getvalue() if isinstance(source, io.StringIO) else path.read_bytes().decode("utf-8-sig")
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    if header and not set(header) & set(TEXT_COLUMNS):
        remedy = f"write it as CSV with a header with {TEXT_COLUMNS[0]}"
        raise InputError(path, "is no table of predictions: it has no column of ids", remedy)
    for row in reader:
        if row and len(row) != len(header):
            problem = f"line {reader.line_num} has {len(row)} cells, the header has {len(header)}"
            raise InputError(path, problem, "the file is damaged, or a text with commas lacks quotes")
    if not text.endswith(("\n", "\r")):
        remedy = "copy it again; where it is whole, end its last line with a line break"
        raise InputError(path, "ends inside a line, as a file that was cut short does", remedy)
    return text
