"""What one viewer answers from: the run, its list of specimens, open slides, and work in another process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.errors import InputError
from scangen_bundle.viewer.inputs import ViewedRun
from scangen_bundle.viewer.jobs import Jobs
from scangen_bundle.viewer.open_slides import OpenSlides
from scangen_bundle.viewer.overlays import TileValues, overlay_json, spread_over_scanners, spread_scores
from scangen_bundle.viewer.registering import LinkedScan, register_scans
from scangen_bundle.viewer.scan_files import ScanFile
from scangen_bundle.viewer.specimens import SpecimenList
from scangen_bundle.viewer.tile_geojson import tiles_geojson
from scangen_bundle.viewer.tile_values import read_tile_values

NO_FILE = ScanFile()
REACH = 0.75  # sides of a tile: on another grid, the nearest tile's centre is at most 0.71 away


class Session:
    """A run that is viewed.

    Args:
        run: what is viewed.

    Attributes:
        run: what is viewed.
        specimens: the list.
        slides: those that are open.
    """

    def __init__(self, run: ViewedRun) -> None:
        self.run = run
        self.specimens = SpecimenList(run)
        self.slides = OpenSlides({number: file for number, file in run.files.items() if file.slide_path})
        self._jobs = Jobs()
        self._numbers = {name: number for number, name in enumerate(run.specimens)}

    def close(self) -> None:
        """Close the slides and end the other process."""
        self._jobs.close()
        self.slides.close()

    def describe(self) -> dict[str, Any]:
        """What the page needs to know of the run."""
        run = self.run
        values, counts = np.unique(run.labels, return_counts=True)
        return {
            "name": run.name,
            "notice": RESEARCH_USE_ONLY,
            "classes": list(run.class_names),
            "threshold": run.threshold,
            "scanners": [{"name": name, "unseen": name in run.unseen} for name in run.scanners],
            "labels": [{"label": int(v), "specimens": int(n)} for v, n in zip(values, counts, strict=True)],
            "specimens": len(run.specimens),
            "scans": len(run.scans),
            "slides": len(self.slides.files),
        }

    def find(self, specimen: str) -> int:
        """The number of a specimen.

        Raises:
            KeyError: there is none of this name.
        """
        return self._numbers[specimen]

    def specimen(self, number: int) -> dict[str, Any]:
        """A specimen with all of its scans.

        Raises:
            KeyError: there is no such specimen.
        """
        if not 0 <= number < len(self.run.specimens):
            raise KeyError(number)
        scans = self.specimens.scans(number)
        for scan in scans:
            scan["slide_id"] = self.run.scans["slide_id"].iloc[scan["number"]]
            scan["slide"] = scan["number"] in self.slides.files
        return {
            "number": number,
            "specimen": self.run.specimens[number],
            "patient": self.run.scans["patient_id"].iloc[self.run.starts[number]],
            "label": int(self.run.labels[number]),
            "scans": scans,
        }

    def slide(self, number: int) -> dict[str, Any]:
        """How the slide of a scan is cut into tiles.

        Raises:
            KeyError: the scan has no slide.
            InputError: the slide cannot be read.
        """
        with self.slides.use(number) as slide:
            pyramid, mpp = slide.pyramid, slide.mpp
        return {
            "width": pyramid.size[0],
            "height": pyramid.size[1],
            "tile": pyramid.tile_px,
            "levels": [pyramid.min_level, pyramid.max_level],
            "mpp": None if mpp is None else min(mpp),
        }

    async def links(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Where each of these scans of one specimen lies in the frame that their panes share.

        Raises:
            KeyError: no such scan, or scans of several specimens.
        """
        linked = await self._link(numbers)
        answers = []
        for number, scan in zip(numbers, linked, strict=True):
            answer: dict[str, Any] = {"number": number, "linked": scan.linked, "reason": scan.reason}
            if scan.placement is not None and scan.frame is not None:
                answer.update(scan.placement.to_json(scan.frame.size))
            answers.append(answer)
        return answers

    async def overlays(self, numbers: Sequence[int]) -> dict[str, Any]:
        """The tiles of each of these scans of one specimen, with what the overlays show.

        Returns:
            `spread_of` ("probability" or "attention") and `scans`, each with its number and a reason where nothing is
            known of its tiles, else what `overlays.overlay_json` says.

        Raises:
            KeyError: no such scan, or scans of several specimens.
        """
        linked, values, spread_of, spreads = await self._tiles(numbers)
        scans = []
        for number, scan, (tiles, reason), spread in zip(numbers, linked, values, spreads, strict=True):
            if tiles is None or scan.frame is None:
                scans.append({"number": number, "reason": reason or scan.reason})
            else:
                scans.append({"number": number, **overlay_json(tiles, scan.frame.pixel, spread)})
        return {"spread_of": spread_of, "scans": scans}

    async def geojson(self, number: int, numbers: Sequence[int]) -> dict[str, Any]:
        """The tiles of scan `number` for QuPath, with their spread over the scans `numbers`.

        Raises:
            KeyError: no such scan, or scans of several specimens.
            InputError: nothing is known of the tiles.
        """
        if number not in numbers:
            raise KeyError(number)
        _, values, _, spreads = await self._tiles(numbers)
        position = list(numbers).index(number)
        tiles, reason = values[position]
        if tiles is None:
            raise InputError("the scan", reason)
        slide_id = str(self.run.scans["slide_id"].iloc[number])
        return await asyncio.to_thread(tiles_geojson, slide_id, tiles, spreads[position])

    async def _tiles(self, numbers: Sequence[int]) -> tuple[list[LinkedScan], list[Any], str, list[Any]]:
        linked, values = await asyncio.gather(self._link(numbers), self._values(numbers))
        spread_of, scores = spread_scores([tiles for tiles, _ in values])
        spreads = await asyncio.to_thread(_spreads, linked, [tiles for tiles, _ in values], scores)
        return linked, values, spread_of, spreads

    async def _link(self, numbers: Sequence[int]) -> list[LinkedScan]:
        self._check(numbers)
        files = [self.run.files.get(number, NO_FILE) for number in numbers]
        return await self._jobs.run(("link", *numbers), register_scans, files)

    async def _values(self, numbers: Sequence[int]) -> list[tuple[TileValues | None, str]]:
        self._check(numbers)
        run = self.run
        work = []
        for number in numbers:
            row = run.scans.iloc[number]
            file = run.files.get(number, NO_FILE)
            arguments = file, row["slide_id"], row["scanner"], run.checkpoint, run.attention
            work.append(self._jobs.run(("tiles", number), read_tile_values, *arguments))
        return list(await asyncio.gather(*work))

    def _check(self, numbers: Sequence[int]) -> None:
        """Refuse what are not different scans of one specimen."""
        if not numbers or len(set(numbers)) != len(numbers):
            raise KeyError("scans")
        if min(numbers) < 0 or max(numbers) >= len(self.run.scans):
            raise KeyError("scans")
        if len(set(self.run.specimen[list(numbers)].tolist())) != 1:
            raise KeyError("scans")


def _spreads(
    linked: Sequence[LinkedScan], values: Sequence[TileValues | None], scores: Sequence[np.ndarray | None]
) -> list[np.ndarray | None]:
    """Spread [n] of each scan's tiles over the linked scans; None for a scan that is not linked or not known."""
    positions, centres, columns, reach = [], [], [], []
    for position, (scan, tiles, score) in enumerate(zip(linked, values, scores, strict=True)):
        if not scan.linked or scan.placement is None or scan.frame is None or tiles is None or score is None:
            continue
        pixel = np.asarray(scan.frame.pixel)
        positions.append(position)
        centres.append(scan.placement.apply(tiles.centres / pixel))
        columns.append(score)
        reach.append(REACH * max(tiles.side / pixel) * scan.placement.scale)
    spreads: list[np.ndarray | None] = [None] * len(linked)
    if len(positions) > 1:
        for position, spread in zip(positions, spread_over_scanners(centres, columns, reach), strict=True):
            spreads[position] = spread
    return spreads
