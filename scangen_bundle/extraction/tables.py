"""The tables beside the bags: what failed, and what each scan is like."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from scangen_bundle.bags.bag import FeatureBag
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.locks import lock_file
from scangen_bundle.slides import ScannerIdentity, compare_scanner

FAILURE_COLUMNS = ("slide_id", "slide_path", "problem", "traceback")
PAUSE = 9  # times as long as writing `failures.csv` took is waited before it is written again: a tenth of the time goes into it


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, whole or not at all."""
    with write_atomically(path) as temporary:
        table.to_csv(temporary, index=False)


def update_failures(path: Path, failures: Iterable[dict[str, str]], finished: Iterable[str], lock: Path) -> None:
    """Bring `failures.csv` up to date: add failures, drop those of slides that are finished by now.

    Several jobs may share the file: each adds to what is there. Without failures there is no file.

    Args:
        path: the file.
        failures: rows with `FAILURE_COLUMNS`; they replace earlier ones of the same slide.
        finished: ids of slides that have their bag.
        lock: the file to lock meanwhile.
    """
    with lock_file(lock, wait=True):
        table = pd.DataFrame(list(failures), columns=list(FAILURE_COLUMNS), dtype=str)
        if path.is_file():
            table = pd.concat([_read_text_table(path), table])
        table = table.drop_duplicates("slide_id", keep="last")
        table = table[~table["slide_id"].isin(list(finished))]
        if len(table):
            write_table(table, path)
        else:
            path.unlink(missing_ok=True)


def update_slides(path: Path, table: pd.DataFrame, order: Sequence[str], lock: Path) -> None:
    """Bring the rows of some scans into `slides.csv`, which other shards write, too.

    Args:
        path: the file.
        table: rows of this shard's scans, as of `bag_row`.
        order: ids of all scans of the manifest: those of others are left out, and rows come in this order.
        lock: the file to lock meanwhile.

    Raises:
        InputError: the file that is there cannot be read.
    """
    text = io.StringIO(table.to_csv(index=False))
    rows = pd.read_csv(text, dtype=str, keep_default_na=False)  # as text: no number is rounded on its way
    with lock_file(lock, wait=True):
        if path.is_file():
            rows = pd.concat([_read_text_table(path), rows]).drop_duplicates("slide_id", keep="last")
        places = {slide_id: place for place, slide_id in enumerate(order)}
        rows = rows[rows["slide_id"].isin(places)]
        write_table(rows.sort_values("slide_id", key=lambda ids: ids.map(places)), path)


def _read_text_table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise InputError(path, f"cannot be read: {error}", "move it away and start again") from error


class FailureLog:
    """Brings a run's failures into `failures.csv`: each as it comes, but several together where writing takes long.

    The file is written whole each time. Thousands of slides fail together, when their disk is gone, and writing for each of
    them would take as long as the square of their number. What is not written when a run is killed fails again in the next.

    Args:
        path: the file.
        lock: the file to lock meanwhile.
    """

    def __init__(self, path: Path, lock: Path) -> None:
        self._path, self._lock = path, lock
        self._waiting: list[dict[str, str]] = []
        self._not_before = -math.inf

    def add(self, failure: dict[str, str]) -> None:
        """A row with `FAILURE_COLUMNS`; it is in the file now, or soon, or after `write`."""
        self._waiting.append(failure)
        if time.monotonic() >= self._not_before:
            self.write()

    def write(self) -> None:
        """Write what waits."""
        if not self._waiting:
            return
        begin = time.monotonic()
        update_failures(self._path, self._waiting, [], self._lock)
        self._waiting = []
        end = time.monotonic()
        self._not_before = end + PAUSE * (end - begin)


def bag_row(row: Any, bag: FeatureBag) -> dict[str, Any]:
    """What is known of a scan: a row of `slides.csv` and of the audit.

    Args:
        row: the scan's row of the manifest.
        bag: its features, also of another tool. Where it does not tell the slide's resolution, the manifest's is taken.
    """
    about = bag.attributes
    vendor, _, model = about.get("scanner", "").partition("-")
    source = bag.source_mpp or (row.mpp, row.mpp)
    effective = bag.tile_mpp(source) or (math.nan, math.nan)
    return {
        "slide_id": row.slide_id,
        "specimen_id": row.specimen_id,
        "scanner": row.scanner,
        "identified": about.get("scanner", ""),
        "agreement": compare_scanner(ScannerIdentity(vendor, model), row.scanner),
        "tool": bag.tool,
        "reader": _reader(about.get("versions", "{}")),
        "encoder": about.get("encoder", ""),
        "pooling": about.get("pooling", ""),
        "dim": bag.dim,
        "tile_px": about.get("tile_px"),
        "source_mpp_x": source[0],
        "source_mpp_y": source[1],
        "read_level": about.get("read_level"),
        "effective_mpp_x": effective[0],
        "effective_mpp_y": effective[1],
        "tiles": len(bag),
        "tissue_mm2": about.get("tissue_mm2", math.nan),
        "sharpness": about.get("sharpness", math.nan),
    }


def _reader(versions: str) -> str:
    """The reader that a bag names among the software that made it; "" if it names none."""
    try:
        return str(json.loads(versions).get("reader", ""))
    except (ValueError, AttributeError):  # whoever writes bags by hand may have put any text there
        return ""
