"""Metrics of every epoch of a training: `history.csv` of its run."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically


def add_epoch(path: str | os.PathLike[str], epoch: int, metrics: Mapping[str, float]) -> None:
    """Add an epoch's finite metrics, under their MLflow names, in place of this epoch and later ones of an earlier session."""
    before = read_history(path)
    row = pd.DataFrame({name: value for name, value in metrics.items() if math.isfinite(value)}, index=[epoch])
    table = row if before is None else pd.concat([before[before.index < epoch], row])
    with write_atomically(path) as temporary:
        table.rename_axis("epoch").to_csv(temporary)


def read_history(path: str | os.PathLike[str]) -> pd.DataFrame | None:
    """A column per metric, indexed by epoch, NaN where an epoch lacks it; None where there is no such file.

    Raises:
        InputError: the file is damaged.
    """
    if not Path(path).is_file():
        return None
    try:
        return pd.read_csv(path, float_precision="round_trip").set_index("epoch")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(path, f"cannot be read ({type(error).__name__})", "remove it; only curves are lost") from error
