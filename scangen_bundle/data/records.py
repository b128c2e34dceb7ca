"""From the manifest to a dataset's records: one per scan, with its bag checked."""

from __future__ import annotations

import logging
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from scangen_bundle.bags import FeatureBag, open_bag
from scangen_bundle.bags.bag import TOOL
from scangen_bundle.cohort.manifest import UNLABELLED
from scangen_bundle.encoders.identity import contradiction
from scangen_bundle.errors import InputError, some
from scangen_bundle.extraction import AuditThresholds
from scangen_bundle.methods import scanner_key
from scangen_bundle.progress import with_bar

logger = logging.getLogger(__name__)

# Attributes that must be the same in all bags of a cohort, where the files state them.
MADE_BY = ("encoder", "revision", "pooling", "tile_px", "mpp")


def make_records(
    manifest: pd.DataFrame,
    features_dir: str,
    split: str | None = None,
    *,
    num_features: int,
    num_classes: int,
    encoder: str = "",
) -> list[dict[str, Any]]:
    """One dictionary per scan, in the order of the manifest, after every bag was opened and checked.

    A scan's bag is its `features_path`, or else `<features_dir>/<slide_id>.h5`.

    Args:
        manifest: as `cohort.load_manifest` gives it; specimens and scanners are numbered over all of its rows, so that
            the numbers of different splits agree.
        features_dir: where `run extracting` wrote the bags.
        split: take this split's rows only; None takes all.
        num_features: D that the network expects.
        num_classes: C; labels are -1 (unknown) to C - 1.
        encoder: name of the encoder as the user typed it, compared with what the files say; "" compares nothing.

    Returns:
        Dictionaries with `slide_id, specimen_id, patient_id, scanner_name` (str), `specimen, scanner, label, num_tiles`
        (int), `scanner_key` (int, `methods.scanner_key`), `features_path, slide_path` (str), and `made_by`: those of
        `MADE_BY` that the bag states.

    Raises:
        InputError: no scan, training scans of fewer than two classes, missing bags (all of them are named), bags that do not
            fit each other or the network, a bag without a tile, labels outside the classes.
    """
    specimens = _numbered(manifest["specimen_id"])
    scanners = _numbered(manifest["scanner"])
    rows = manifest if split is None else manifest[manifest["split"] == split]
    if rows.empty:
        raise InputError(
            "manifest", f"no scan is in the split {split!r}", "give more patients or other split_fractions"
        )
    if split == "train":
        _check_classes(rows)
    if split == "val":
        _name_new_scanners(manifest, rows)
    records = []
    for row in rows.to_dict("records"):
        record = _record(row, features_dir)
        record["specimen"] = specimens[row["specimen_id"]]
        record["scanner"] = scanners[row["scanner"]]
        records.append(record)
    _check_labels(records, num_classes)
    _check_files(records, rows, features_dir)
    first: dict[str, tuple[object, str]] = {}
    tile_mpp: dict[str, list[float]] = {}
    scans = list(zip(records, rows["mpp"], strict=True))
    for record, mpp in with_bar(scans, f"checking {split or 'all'} bags"):
        bag = open_bag(record["features_path"])  # let go at once: some tools' files can only be read whole
        check_bag(bag, record["slide_id"], num_features, first)
        _check_encoder(bag, encoder)
        record["num_tiles"] = len(bag)
        record["made_by"] = {name: bag.attributes[name] for name in MADE_BY if bag.attributes.get(name) is not None}
        bag_mpp = bag.tile_mpp(None if math.isnan(mpp) else (mpp, mpp))
        if bag_mpp:
            tile_mpp.setdefault(record["scanner_name"], []).append(math.sqrt(bag_mpp[0] * bag_mpp[1]))
    _compare_resolutions(tile_mpp)
    return records


def _record(row: Mapping[Any, Any], features_dir: str) -> dict[str, Any]:
    return {
        "slide_id": row["slide_id"],
        "specimen_id": row["specimen_id"],
        "patient_id": row["patient_id"],
        "scanner_name": row["scanner"],
        "scanner_key": scanner_key(row["scanner"]),
        "label": int(row["label"]),
        "features_path": row["features_path"] or str(Path(features_dir) / f"{row['slide_id']}.h5"),
        "slide_path": row["slide_path"],
    }


def _numbered(names: pd.Series) -> dict[str, int]:
    """A number from 0 for each name, in alphabetical order."""
    return {name: number for number, name in enumerate(sorted(names.unique()))}


def feature_identity(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How the features of these scans were made: the attributes of `MADE_BY` that at least one bag states.

    Bags agree on them (`make_records` checks that). They are stored in the checkpoint, so that a network is not used on
    features of another encoder or resolution.
    """
    identity: dict[str, Any] = {}
    for record in reversed(records):
        identity.update(record["made_by"])
    return identity


def _check_labels(records: Sequence[dict[str, Any]], num_classes: int) -> None:
    outside = [f"{record['slide_id']} ({record['label']})" for record in records if record["label"] >= num_classes]
    if outside:
        problem = f"labels outside 0 to {num_classes - 1}: {some(outside)}"
        raise InputError("manifest", problem, "correct the labels, or set class_names")


def _check_classes(training: pd.DataFrame) -> None:
    """Refuse training scans of fewer than two classes: training would run, but its network would predict nothing."""
    classes = sorted({int(label) for label in training["label"]} - {UNLABELLED})
    if len(classes) < 2:
        labels = "no training scan has a label"
        if classes:
            labels = f"all labelled training scans have the label {classes[0]}"
        problem = f"{labels}: there is nothing to tell apart"
        raise InputError("manifest", problem, "fill in the labels, or split otherwise")


def _name_new_scanners(manifest: pd.DataFrame, validation: pd.DataFrame) -> None:
    """Log the scanners of validation that training does not have: allowed, but they influence the choice of the model."""
    trained = set(manifest.loc[manifest["split"] == "train", "scanner"])
    new = sorted(set(validation["scanner"]) - trained)
    if trained and new:
        logger.warning("validation has scans of scanners that training never sees: %s", ", ".join(new))


def _check_files(records: Sequence[dict[str, Any]], rows: pd.DataFrame, features_dir: str) -> None:
    """Refuse scans that share a file of features, or whose file is missing; the message names the manifest's own files."""
    owner: dict[str, str] = {}
    for record in records:
        first = owner.setdefault(os.path.realpath(record["features_path"]), record["slide_id"])
        if first != record["slide_id"]:
            problem = f"{record['slide_id']} and {first} have one file of features, {record['features_path']}"
            raise InputError("manifest", problem, "give each scan its own features")
    missing = [record for record in records if not Path(record["features_path"]).exists()]
    if not missing:
        return
    problem = f"{len(missing)} of {len(records)} scans have no feature bag"
    in_manifest = set(rows.loc[rows["features_path"] != "", "slide_id"])
    listed = [record["features_path"] for record in missing if record["slide_id"] in in_manifest]
    if listed:
        raise InputError("manifest", f"{problem}; not there: {some(listed)}", "correct features_path")
    ids = some([record["slide_id"] for record in missing])
    raise InputError(
        features_dir, f"{problem}: {ids}", "run extracting first, or leave these scans out of the manifest"
    )


def check_bag(bag: FeatureBag, slide_id: str, num_features: int, first: dict[str, tuple[object, str]]) -> None:
    """Refuse a bag that is empty, of another scan, of another length, or of another origin than those before it.

    Args:
        bag: the bag.
        slide_id: the scan that it should be of.
        num_features: D.
        first: for each entry of `MADE_BY`, the value of the first bag that states it, and that bag's name; updated here.
    """
    if len(bag) == 0:
        raise InputError(bag.path, "the bag has no tile", "leave this scan out of the manifest")
    if bag.path.stem == slide_id and bag.tool == TOOL and bag.attributes["slide_id"] != slide_id:
        problem = f"is the bag of {bag.attributes['slide_id']!r} under the name of {slide_id!r}"
        raise InputError(bag.path, problem, "extract this scan again")
    if bag.dim != num_features:
        maker = bag.attributes.get("encoder") or bag.tool
        problem = f"its vectors have D = {bag.dim} ({maker}), the network expects {num_features}"
        raise InputError(bag.path, problem, f"use the matching features, or set --num_features {bag.dim}")
    for name in MADE_BY:
        value = bag.attributes.get(name)
        if value is None:
            continue
        first_value, first_name = first.setdefault(name, (value, bag.path.name))
        if value != first_value:
            problem = f"its {name} is {value!r}, that of {first_name} is {first_value!r}"
            raise InputError(bag.path, problem, "features of one cohort have to be made in one way; extract again")


def _check_encoder(bag: FeatureBag, encoder: str) -> None:
    """Refuse vectors of another encoder than the named one, whose licence would be recorded for them."""
    stated = bag.attributes.get("encoder")
    problem = contradiction(encoder, stated, bag.dim) if encoder else ""
    if problem:
        remedy = f"set --encoder_name {stated}" if stated else "set --encoder_name to the encoder that made them"
        raise InputError(bag.path, problem, f"{remedy}, or use the matching features")


def _compare_resolutions(tile_mpp: dict[str, list[float]]) -> None:
    """Warn where scanners' tiles differ in resolution by more than the audit allows: it would count as a scanner effect."""
    medians = {scanner: statistics.median(values) for scanner, values in tile_mpp.items()}
    if medians and max(medians.values()) > (1 + AuditThresholds.effective_mpp) * min(medians.values()):
        listing = ", ".join(f"{scanner} {mpp:.3f}" for scanner, mpp in sorted(medians.items()))
        logger.warning("the scanners' features are not of one resolution: %s µm/px; `run auditing` tells more", listing)


def class_weights(records: Sequence[dict[str, Any]], num_classes: int) -> list[float]:
    """Weights inverse to the number of labelled scans of each class, with mean 1 over the scans: n / (C n_c).

    Raises:
        InputError: a class without a scan.
    """
    labels = [record["label"] for record in records if record["label"] >= 0]
    counts = [labels.count(label) for label in range(num_classes)]
    if 0 in counts:
        problem = f"no training scan has the label {counts.index(0)}"
        raise InputError("manifest", problem, "give more patients, another split_seed, or other class_names")
    return [len(labels) / (num_classes * count) for count in counts]
