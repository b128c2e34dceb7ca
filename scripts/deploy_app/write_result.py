"""A case's result on disk: a folder that is whole or absent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from case import Case
from dicom_result import attention_map, structured_report

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.files import write_folder_atomically
from scangen_bundle.names import check_name
from scangen_bundle.report.heatmap import Heatmap, attention_heatmap, nifti_bytes, write_overlay
from scangen_bundle.slides import read_thumbnail

THUMBNAIL_PX = 1600
FAR = "far from training"


def result_text(result: dict[str, Any]) -> str:
    """The result in a few plain lines (ASCII, for the DICOM text report)."""
    scanner, flips, chosen = result["scanner"], result["expected_flip_rate"], result["prediction_set"]
    known = "known to training" if scanner["known_to_training"] else "NOT known to training"
    novelty = result["novelty"]
    rate = "unknown"
    if flips["value"] is not None:
        low, high = flips["interval"]
        rate = f"{flips['value']:.3f}, 95 % interval {low:.3f} to {high:.3f}"
    lines = [
        *([f"CAUTION: slide {FAR}"] if novelty["far_from_training"] else []),
        result["notice"],
        f"Class: {result['predicted_class']}",
        *(
            f"Probability of {name}: {p:.4f} (calibrated {result['calibrated_probability'][name]:.4f})"
            for name, p in result["probability"].items()
        ),
        f"Scanner: {scanner['identified'] or 'not identified'}, {known}",
        f"Prediction set at level {chosen['level']:g}: {', '.join(chosen['classes']) or 'empty'} "
        f"(guarantee: {chosen['guarantee']})",
        f"Expected flip rate between scanners: {rate} ({flips['pairs']} pairs of {flips['patients']} patients, {flips['of']})",
        f"Distance from validation: {novelty['score']:.3g}, limit {novelty['threshold']:.3g}",
        f"Model: {result['model']['name']} {result['model']['version']}",
        *(f"Warning: {text}" for text in result["warnings"]),
    ]
    return "\n".join(lines).encode("ascii", "replace").decode()


class ResultWriter:
    """Writes `<output>/<case>/`: result.json, attention.png, attention.nii.gz, and DICOM.

    A DICOM slide gets `report.dcm` (TID 1500) and `attention.dcm` in its own study; anything else a DICOM text report.

    Args:
        output: folder of the results.
        write_text_report: `(text, folder)` writes a DICOM text SR into the folder.
    """

    def __init__(self, output: Path, write_text_report: Callable[[str, Path], None]) -> None:
        self.output, self.write_text_report = output, write_text_report

    def __call__(self, case: Case) -> None:
        """Write all of it, or nothing; an earlier result of this case is replaced, nothing else is.

        Raises:
            InputError: a name that cannot be a folder's, or something else is in the result's place.
        """
        name = check_name(case.paths[0].name, case.name)
        with write_folder_atomically(self.output / name, is_result) as folder:
            self._write(case, folder)

    def _write(self, case: Case, folder: Path) -> None:
        heatmap, thumbnail = make_heatmap(case)
        far = case.result["novelty"]["far_from_training"]
        if heatmap is not None:
            title = f"{case.name}: {case.result['predicted_class']}" + (f" ({FAR})" if far else "")
            write_overlay(heatmap, thumbnail, folder / "attention.png", title=title)
            (folder / "attention.nii.gz").write_bytes(nifti_bytes(heatmap))
        if case.header is not None:
            structured_report(case.header, case.result).save_as(folder / "report.dcm")
            attention_map(case.header, heatmap, far).save_as(folder / "attention.dcm")
        else:
            self.write_text_report(result_text(case.result), folder)
            (written,) = folder.glob("*.dcm")  # the SDK names it by its UID
            written.rename(folder / "report.dcm")
        text = json.dumps(case.result, indent=1, allow_nan=False)
        (folder / "result.json").write_text(text, encoding="utf-8")


def is_result(folder: Path) -> bool:
    """Whether this app wrote a folder: it has a `result.json` of ours."""
    path = folder / "result.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(result, dict) and result.get("notice") == RESEARCH_USE_ONLY and "schema_version" in result


def make_heatmap(case: Case) -> tuple[Heatmap | None, np.ndarray | None]:
    """The attention on the slide and, for a slide, a thumbnail; None for a bag that does not say where its tiles are."""
    bag = case.bag
    tile, mpp = bag.tile_size_level0(), bag.source_mpp
    if tile is None or mpp is None:
        return None, None
    coords = bag.coords_level0()
    if case.slide_path is not None:
        thumbnail, size = read_thumbnail(str(case.slide_path), THUMBNAIL_PX)
    else:
        stated = int(bag.attributes.get("slide_width", 0)), int(bag.attributes.get("slide_height", 0))
        thumbnail, size = None, stated if all(stated) else tuple((coords.max(axis=0) + tile).tolist())
    return attention_heatmap(coords, case.attention, tile, size, mpp), thumbnail
