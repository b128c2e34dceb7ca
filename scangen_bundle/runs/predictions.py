"""Tables of predictions: a row per scan, as CSV and Parquet."""

from __future__ import annotations

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
        InputError: the file is missing or is no table.
    """
    if not Path(path).is_file():
        raise InputError(path, "there is no such file", "give the CSV that an evaluation or a training wrote")
    try:
        columns = pd.read_csv(comma_separated(path), nrows=0).columns
        gaps = {name: [""] for name in columns if name not in TEXT_COLUMNS}
        return pd.read_csv(
            comma_separated(path),
            dtype=dict.fromkeys(TEXT_COLUMNS, str),
            na_values=gaps,
            keep_default_na=False,
            float_precision="round_trip",
        )
    except pd.errors.EmptyDataError:
        raise InputError(path, "the file is empty", "give a CSV of predictions with a header") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(path, f"this is no CSV table ({error})", "write it as CSV with a header, UTF-8") from error
