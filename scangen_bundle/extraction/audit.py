"""The resolution audit: do the scanners' features come from the same scale, and from comparable tiles?

A difference between scanners in scale, tissue or focus is a scanner signature that no training can tell from a real
one, and it arises in tiling. So each scan's figures are taken from its bag, also of other tools' features, and scanners
that stand out are named.

Specimens that were scanned on several scanners are compared with themselves: each scanner's figure over the median of
the specimen's scanners (of two, over the other), then the median over specimens. Where no specimen was scanned twice,
the scanners' medians are compared likewise; then tissue and tile number are not judged, since other specimens have other
tissue.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from scangen_bundle.bags.bag import TOOL, FeatureBag
from scangen_bundle.bags.open import open_bag
from scangen_bundle.cohort import load_manifest
from scangen_bundle.errors import InputError, listed, some
from scangen_bundle.extraction.from_slide import complete_from_slide
from scangen_bundle.extraction.tables import bag_row, write_table
from scangen_bundle.extraction.work import check_options
from scangen_bundle.progress import with_bar

logger = logging.getLogger(__name__)

SCANNERS_CSV, SLIDES_CSV = "audit.csv", "audit_slides.csv"
SEE_TISSUE = "compare the pictures in the folder tissue beside the bags (for smears add configs/tissue/smear.yaml)"
TRACKED = ("scans", "source_mpp_x", "source_mpp_y", "effective_mpp", "tiles", "tissue_mm2", "sharpness")


class Tracker(Protocol):
    """What the audit needs of an experiment tracker."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None: ...

    def log_artifact(self, path: str | os.PathLike[str], folder: str | None = None) -> None: ...

    def finish(self, status: str = "FINISHED") -> None: ...


@dataclass(frozen=True)
class AuditThresholds:
    """From which difference on a scanner is flagged.

    Attributes:
        effective_mpp: relative difference of the tiles' resolution, between scanners or among a scanner's own scans.
        anisotropy: relative difference of the tiles' resolution along x and y.
        tissue: relative difference of tissue area.
        tiles: relative difference of the number of tiles.
        sharpness: factor between sharpnesses, either way.
    """

    effective_mpp: float = 0.01
    anisotropy: float = 0.01
    tissue: float = 0.05
    tiles: float = 0.10
    sharpness: float = 2.0


@dataclass(frozen=True, eq=False)
class AuditReport:
    """What the audit found.

    Attributes:
        slides: a row per scan (`tables.bag_row`).
        scanners: a row per scanner: number of scans, medians, ratios to the other scanners, `flags`.
        flags: what stands out, a sentence each.
    """

    slides: pd.DataFrame
    scanners: pd.DataFrame
    flags: list[str] = field(default_factory=list)


def audit_scans(slides: pd.DataFrame, thresholds: AuditThresholds | None = None) -> AuditReport:
    """Compare the scanners of a table with a row per scan.

    Args:
        slides: columns of `tables.bag_row`.
        thresholds: from which difference on a scanner is flagged.
    """
    limits = thresholds or AuditThresholds()
    slides = slides.copy()
    slides["effective_mpp"] = np.sqrt(slides["effective_mpp_x"] * slides["effective_mpp_y"])
    grouped = slides.groupby("scanner", sort=True)
    table = pd.DataFrame({"scans": grouped.size()})
    for name in ("source_mpp_x", "source_mpp_y", "effective_mpp", "tiles", "tissue_mm2", "sharpness"):
        table[name] = grouped[name].median()
    table["effective_mpp_min"], table["effective_mpp_max"] = (
        grouped["effective_mpp"].min(),
        grouped["effective_mpp"].max(),
    )
    for name in ("identified", "reader", "read_level", "encoder", "dim"):
        table[name] = grouped[name].agg(_values)
    paired = bool((slides.groupby("specimen_id")["scanner"].nunique() > 1).any())
    for name in ("effective_mpp", "tiles", "tissue_mm2", "sharpness"):
        table[f"{name}_ratio"] = _ratios(slides, name, paired)
    flags = {scanner: list(_flags(row, limits, paired)) for scanner, row in table.iterrows()}
    for row in slides[slides["agreement"] == "disagreement"].itertuples():
        flags[row.scanner].append(f"{row.slide_id}: the file says {row.identified}")
    table["flags"] = ["; ".join(flags[scanner]) for scanner in table.index]
    found = [f"{scanner}: {text}" for scanner, texts in flags.items() for text in texts]
    for name in ("encoder", "pooling", "dim", "tool"):
        if len(kinds := sorted(set(map(str, slides.loc[slides["tiles"] > 0, name])))) > 1:
            found.append(f"all: features of more than one {name}: {', '.join(kind or 'not stated' for kind in kinds)}")
    return AuditReport(slides, table.reset_index(), found)


def _values(values: pd.Series) -> str:
    """The distinct values of a column, as text."""
    return ", ".join(sorted({str(value) for value in values.dropna()} - {""}))


def _ratios(slides: pd.DataFrame, name: str, paired: bool) -> pd.Series:
    """How a scanner's figure compares with the others', 1 for alike; NaN where it cannot be told."""
    values = slides[name].where(slides[name] > 0).astype(float)
    group = slides["specimen_id"] if paired else pd.Series("all", slides.index)
    table = values.groupby([group, slides["scanner"]]).median().unstack()
    count = table.notna().sum(axis=1)
    ratio = table.div(table.median(axis=1), axis=0)
    # Of two, each is compared with the other: their median would halve the difference.
    other = table.rsub(table.sum(axis=1), axis=0)
    ratio = ratio.mask(count == 2, table / other).mask(count < 2)
    return ratio.median()


def _flags(row: Any, limits: AuditThresholds, paired: bool) -> list[str]:
    """What stands out in a scanner's row."""
    found = []
    if math.isnan(row["effective_mpp"]):
        remedy = (
            "state the slides' mpp in the manifest"
            if math.isnan(row["source_mpp_x"])
            else "its files do not say how many px of level 0 a tile's px has"
        )
        found.append(f"the resolution of its tiles is not known; {remedy}")
    low, high = row["effective_mpp_min"], row["effective_mpp_max"]
    if high > low * (1 + limits.effective_mpp):
        found.append(f"its scans differ in resolution, {low:.4g} to {high:.4g} µm/px")
    if _beyond(row["effective_mpp_ratio"], 1 + limits.effective_mpp):
        found.append(f"the resolution of its tiles is {row['effective_mpp_ratio'] - 1:+.1%} off the other scanners'")
    if _beyond(row["source_mpp_x"] / row["source_mpp_y"], 1 + limits.anisotropy):
        found.append(f"its pixels are not square, {row['source_mpp_x']:.4g} x {row['source_mpp_y']:.4g} µm")
    if paired and _beyond(row["tissue_mm2_ratio"], 1 + limits.tissue):
        found.append(f"{row['tissue_mm2_ratio'] - 1:+.1%} tissue on the same specimens; {SEE_TISSUE}")
    if paired and _beyond(row["tiles_ratio"], 1 + limits.tiles):
        found.append(f"{row['tiles_ratio'] - 1:+.1%} tiles on the same specimens")
    if _beyond(row["sharpness_ratio"], limits.sharpness):
        found.append(f"{row['sharpness_ratio']:.2g} times the other scanners' sharpness")
    return found


def _beyond(ratio: float, factor: float) -> bool:
    """Whether a ratio is further from one than a factor, either way; NaN is not."""
    # A difference of just the threshold is none: ratios carry rounding.
    return bool(abs(math.log(ratio)) > math.log(factor) + 1e-9) if ratio > 0 else False


class ResolutionAudit:
    """Audit the features of a manifest.

    Another tool's feature file tells little of the slide. Where the manifest names the slide too (`slide_path`), it is
    looked at for what is missing: see `complete_from_slide`.

    Args:
        manifest: path of the manifest, or what `load_manifest` gave.
        features_dir: where `run extracting` put the bags; rows with `features_path` name their own.
        output_dir: folder for `audit.csv` (scanners) and `audit_slides.csv` (scans).
        thresholds: from which difference on a scanner is flagged; None for the defaults.
        tissue: options of `slides.tissue_mask` for the slides of other tools' features; those of `run extracting`.
        tracker: an MLflow run (`runs.RunTracker`) that keeps the tables and the scanners' figures too; None for none.
    """

    def __init__(
        self,
        manifest: str | os.PathLike[str] | pd.DataFrame,
        features_dir: str | os.PathLike[str],
        output_dir: str | os.PathLike[str],
        thresholds: AuditThresholds | None = None,
        tracker: Tracker | None = None,
        tissue: Mapping[str, Any] | None = None,
    ) -> None:
        check_options("tissue", tissue or {})
        self.manifest = manifest if isinstance(manifest, pd.DataFrame) else load_manifest(manifest)
        self.features_dir, self.output_dir = Path(features_dir), Path(output_dir)
        self.thresholds, self.tracker, self.tissue = thresholds, tracker, tissue

    def run(self) -> AuditReport:
        """Make the audit, write its tables and print that of the scanners.

        Raises:
            InputError: no scan has features, feature files are damaged (all are named, after the tables are written), or
                the tracker's store cannot be reached.
        """
        rows: list[dict[str, Any]] = []
        missing: list[str] = []
        problems: list[str] = []
        damaged: list[str] = []
        row: Any
        for row in with_bar(list(self.manifest.itertuples()), "looking at bags"):
            path = Path(row.features_path) if row.features_path else self.features_dir / f"{row.slide_id}.h5"
            if not path.exists():
                missing.append(str(row.slide_id))
                continue
            try:
                rows.append(bag_row(row, self._bag(row, path, problems)))
            except InputError as error:
                damaged.append(str(error))
        if not rows:
            problem = (
                listed("no feature file can be used", damaged) if damaged else "there are no features of this manifest"
            )
            raise InputError(
                self.features_dir, problem, "run extracting first" if not damaged else "extract them again"
            )
        report = audit_scans(pd.DataFrame(rows), self.thresholds)
        report.flags.extend(problems)
        if missing:
            report.flags.append(f"all: {len(missing)} scans have no features: {some(missing)}")
        write_table(report.scanners, self.output_dir / SCANNERS_CSV)
        write_table(report.slides, self.output_dir / SLIDES_CSV)
        print(show(report))
        if self.tracker is not None:
            self._track(report, self.tracker)
        if damaged:
            title = f"{len(damaged)} feature files cannot be used; the others were audited"
            raise InputError(self.features_dir, listed(title, damaged), "correct or remove them")
        return report

    def _bag(self, row: Any, path: Path, problems: list[str]) -> FeatureBag:
        """The scan's features; another tool's are completed from the slide if it is there, or a problem is added."""
        bag = open_bag(path, check_values=True)
        if bag.tool == TOOL or not row.slide_path or not Path(row.slide_path).is_file():
            return bag
        try:
            return complete_from_slide(bag, row.slide_path, row.mpp, self.tissue)
        except InputError as error:
            problems.append(f"{row.scanner}: {error}")
            return bag

    def _track(self, report: AuditReport, tracker: Tracker) -> None:
        """MLflow shows the artifacts as tables; its charts need the figures as metrics."""
        tracker.log_metrics(tracked_figures(report))
        for name in (SCANNERS_CSV, SLIDES_CSV):
            tracker.log_artifact(self.output_dir / name, "audit")
        tracker.finish()


def tracked_figures(report: AuditReport) -> dict[str, float]:
    """The scanners' medians as `audit/<scanner>/<figure>`, and how many flags were raised."""
    figures = {"audit/flags": float(len(report.flags))}
    for row in report.scanners.to_dict("records"):
        figures |= {f"audit/{row['scanner']}/{name}": float(row[name]) for name in TRACKED}
    return figures


def show(report: AuditReport) -> str:
    """The table of the scanners and what stands out, as text."""
    columns = [
        *("scanner", "scans", "source_mpp_x", "reader", "read_level"),
        *("effective_mpp", "tiles", "tissue_mm2", "sharpness"),
    ]
    table = report.scanners[columns].to_string(index=False, float_format=lambda value: f"{value:.4g}")
    flags = "\n".join(f"  - {flag}" for flag in report.flags) or "  none"
    return f"{table}\nscanners that stand out:\n{flags}"
