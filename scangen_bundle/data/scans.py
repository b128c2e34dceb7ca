"""Scans for a method: those it is fitted on, and checks that its needs are met."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from scangen_bundle.bags import open_bag
from scangen_bundle.bags.virtual import bank_path, read_bank
from scangen_bundle.data.mapped import BagReader
from scangen_bundle.data.records import check_bag
from scangen_bundle.errors import InputError, some
from scangen_bundle.methods import Method, Scan, adapt_method, scanner_keys
from scangen_bundle.progress import reading_bar

logger = logging.getLogger(__name__)


def training_scans(
    manifest: pd.DataFrame, features_dir: str, *, num_features: int, reader: BagReader | None = None
) -> list[Scan]:
    """Scans that a method may be fitted on; no bag is opened before a method reads it.

    These are the training scans, and training patients' scans on scanners that are held out of training
    (`unseen_scanners`), as if a lab had scanned some glass on its new scanner. Scans of validation and test patients never
    take part, nor do training scanners' scans that are left out.

    Args:
        manifest: with its column `split` filled.
        features_dir: where a scan's bag is, if the manifest does not say.
        num_features: D that every bag must have.
        reader: that keeps checked bags open; None opens and checks a bag each time it is read.
    """
    rows = manifest[_is_trained(manifest) | _is_held_out(manifest)]
    first: dict[str, tuple[object, str]] = {}
    scans = []
    for row in rows.to_dict("records"):
        path = Path(row["features_path"] or Path(features_dir) / f"{row['slide_id']}.h5")
        virtual = bank_path(path.parent, row["slide_id"])
        read = partial(_read_checked, str(path), row["slide_id"], num_features, first)
        if reader is not None:
            read = partial(_read_kept, reader, str(path))
        scans.append(
            Scan(
                slide_id=row["slide_id"],
                specimen=row["specimen_id"],
                patient=row["patient_id"],
                scanner=row["scanner"],
                label=int(row["label"]),
                held_out=row["split"] != "train",
                read=read,
                virtual=partial(_read_virtual, virtual) if virtual.is_file() else None,
            )
        )
    return scans


def _read_virtual(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    plain, virtual = read_bank(path)
    return torch.from_numpy(plain), torch.from_numpy(virtual)


def _is_trained(manifest: pd.DataFrame) -> pd.Series:
    return manifest["split"] == "train"


def _is_held_out(manifest: pd.DataFrame) -> pd.Series:
    training = manifest[_is_trained(manifest)]
    return manifest["patient_id"].isin(training["patient_id"]) & ~manifest["scanner"].isin(training["scanner"])


def _read_checked(
    path: str, slide_id: str, num_features: int, first: dict[str, tuple[object, str]], tiles: int | None
) -> torch.Tensor:
    bag = open_bag(path)
    check_bag(bag, slide_id, num_features, first)
    return _rows(bag, tiles)


def _read_kept(reader: BagReader, path: str, tiles: int | None) -> torch.Tensor:
    features, _ = reader.read(path, lambda count: _evenly(count, tiles))
    return torch.from_numpy(features).float()


def _evenly(count: int, tiles: int | None) -> np.ndarray | None:
    """Rows of at most `tiles` of `count` tiles, evenly spaced; None: all."""
    if tiles is None or tiles >= count:
        return None
    return np.linspace(0, count - 1, tiles).astype(np.int64)


def _rows(bag: Any, tiles: int | None) -> torch.Tensor:
    """Features float32 [n, D] of at most `tiles` evenly spaced tiles."""
    rows = bag.rows(_evenly(len(bag), tiles))
    return torch.from_numpy(np.require(rows, requirements="W"))  # a mapped file is not writable


def scans_of(records: Sequence[Mapping[str, Any]]) -> list[Scan]:
    """Records (`make_records`) as scans to adapt a method to; their labels are not handed on."""
    return [
        Scan(
            slide_id=record["slide_id"],
            specimen=record["specimen_id"],
            patient=record["patient_id"],
            scanner=record["scanner_name"],
            label=-1,
            held_out=True,
            read=partial(_read, record["features_path"]),
        )
        for record in records
    ]


def _read(path: str, tiles: int | None) -> torch.Tensor:
    return _rows(open_bag(path), tiles)


def check_needs(method: Method, manifest: pd.DataFrame) -> None:
    """Refuse a method whose needs the training scans do not meet, before any work.

    Args:
        method: what makes scanners agree.
        manifest: with its column `split` filled.

    Raises:
        InputError: it names everything that is missing.
    """
    needs = method.needs
    fitted = manifest[_is_trained(manifest) | (_is_held_out(manifest) & needs.new_scans)]
    problems = []
    if needs.pairs and method.views == 1 and not _has_pairs(manifest[_is_trained(manifest)]):
        problems.append("training specimens that were scanned on several training scanners, and there is none")
    if needs.scanner_name:
        missing = _missing_scanners(manifest, "val", fitted)
        if missing:
            problems.append(f"training patients' scans of every scanner of validation, and {some(missing)} has none")
        untested = _missing_scanners(manifest, "test", fitted)
        if untested:
            message = "no training patient was scanned on %s: `run evaluating` will refuse these scans"
            logger.warning(message, some(untested))
    patients = fitted.groupby("scanner")["patient_id"].nunique()
    few = patients[patients < needs.patients_per_scanner]
    if len(few):
        counts = some([f"{scanner} has {count}" for scanner, count in few.items()])
        problems.append(f"{needs.patients_per_scanner} training patients of each scanner, and {counts}")
    if problems:
        remedy = "give more such scans, or choose another --method, such as plain"
        raise InputError(f"method {method.name}", f"needs {'; '.join(problems)}", remedy)


def _missing_scanners(manifest: pd.DataFrame, split: str, fitted: pd.DataFrame) -> list[str]:
    """Scanners of a split on which no scan was fitted."""
    scanners = set(manifest.loc[manifest["split"] == split, "scanner"])
    return sorted(scanners - set(fitted["scanner"]))


def _has_pairs(training: pd.DataFrame) -> bool:
    return bool((training.groupby("specimen_id")["scanner"].nunique() > 1).any())


def admit_scanners(
    method: Method, records: Sequence[Mapping[str, Any]], new_scanners: bool = False, trained: Iterable[str] = ()
) -> None:
    """Check that the method knows the scanners of all these scans, adapting it to new ones where that is asked for.

    Args:
        method: of a network with its weights.
        records: as `make_records` gives them.
        new_scanners: let the method take in unknown scanners from these scans.
        trained: names of the training scanners, for the message.

    Raises:
        InputError: a scanner is unknown, or its scans are too few to take it in.
    """
    if new_scanners and (unknown := _unknown(method, records)):
        scans = scans_of([record for record in records if record["scanner_name"] in unknown])
        adapt_method(method, with_reading_bar(scans, "new scanners"))
    if unknown := _unknown(method, records):
        trained_on = f"; it was trained on {some(sorted(trained))}" if trained else ""
        problem = f"the network's method {method.name} was not fitted to it{trained_on}"
        remedy = "train with scans of it, or infer with --new_scanners True"
        raise InputError(f"scanner {some(unknown)}", problem, remedy)


def _unknown(method: Method, records: Sequence[Mapping[str, Any]]) -> list[str]:
    names = sorted({record["scanner_name"] for record in records})
    if not names:
        return []
    is_known = method.knows(scanner_keys(names)).tolist()
    return [name for name, known in zip(names, is_known, strict=True) if not known]


def with_reading_bar(scans: Sequence[Scan], description: str) -> list[Scan]:
    """The scans, with a bar that moves when one is read for the first time."""
    bar = reading_bar(len(scans), description)
    waiting = {scan.slide_id for scan in scans}

    def reader(scan: Scan) -> Scan:
        def read(tiles: int | None) -> torch.Tensor:
            if scan.slide_id in waiting:
                waiting.remove(scan.slide_id)
                bar.update()
                if not waiting:
                    bar.close()
            return scan.read(tiles)

        return replace(scan, read=read)

    return [reader(scan) for scan in scans]
