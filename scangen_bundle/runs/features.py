"""What an evaluation keeps of the test scans' features, so that its report needs no bag."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import pandas as pd

from scangen_bundle.bags import open_bag
from scangen_bundle.extraction import audit_scans
from scangen_bundle.extraction.tables import bag_row, write_table
from scangen_bundle.progress import with_bar
from scangen_bundle.runs.folder import RunFolder
from scangen_bundle.runs.vectors import write_vectors

logger = logging.getLogger(__name__)

AUDIT_TEXTS = ("scanner", "identified", "reader", "read_level", "encoder", "dim", "flags")


def keep_feature_facts(
    run_dir: str | os.PathLike[str],
    scans: pd.DataFrame,
    records: Sequence[Mapping[str, Any]],
    colours_dir: str | os.PathLike[str] | None = None,
) -> None:
    """Write the resolution audit of the scans' features, and the mean colour of each scan where colours were extracted.

    Only the first of several processes writes.

    Args:
        run_dir: the run folder.
        scans: a row per scan, as `cohort.load_manifest` gives them.
        records: of the scans, see `data.make_records`.
        colours_dir: bags of the encoder colour-statistics; None for none.
    """
    if idist.get_rank() != 0:
        return
    folder = RunFolder(run_dir)
    paths = {record["slide_id"]: record["features_path"] for record in records}
    rows = scans[scans["slide_id"].isin(list(paths))].sort_values("slide_id")
    facts = [
        bag_row(row, open_bag(paths[row.slide_id])) for row in with_bar(list(rows.itertuples()), "looking at bags")
    ]
    write_table(audit_scans(pd.DataFrame(facts)).scanners, folder.audit)
    folder.colours.unlink(missing_ok=True)
    if colours_dir is not None:
        _keep_colours(folder, Path(colours_dir), list(rows["slide_id"]))


def _keep_colours(folder: RunFolder, colours_dir: Path, slide_ids: Sequence[str]) -> None:
    paths = {slide_id: colours_dir / f"{slide_id}.h5" for slide_id in slide_ids}
    missing = sum(not path.is_file() for path in paths.values())
    if missing:
        logger.info("no scanner probe of colours: %d of %d bags are not in %s", missing, len(paths), colours_dir)
        return
    means = {
        slide_id: np.asarray(open_bag(path).features, dtype=np.float64).mean(axis=0) for slide_id, path in paths.items()
    }
    write_vectors(folder.colours, means)


def read_audit(path: str | os.PathLike[str]) -> pd.DataFrame | None:
    """The audit, a row per scanner; None where there is no such file."""
    if not Path(path).is_file():
        return None
    columns = pd.read_csv(path, nrows=0).columns
    gaps = {name: [""] for name in columns if name not in AUDIT_TEXTS}
    return pd.read_csv(path, dtype=dict.fromkeys(AUDIT_TEXTS, str), na_values=gaps, keep_default_na=False)
