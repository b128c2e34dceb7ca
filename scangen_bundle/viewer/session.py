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
from scangen_bundle.viewer.overlays import overlay_json
from scangen_bundle.viewer.registering import LinkedScan, register_scans
from scangen_bundle.viewer.scan_files import ScanFile
from scangen_bundle.viewer.scan_tiles import ScanTiles, join_tiles
from scangen_bundle.viewer.specimens import SpecimenList
from scangen_bundle.viewer.tile_geojson import tiles_geojson
from scangen_bundle.viewer.tile_values import KnownTiles, read_tile_values

NO_FILE = ScanFile()


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
        self.slides = OpenSlides(run.slides)
        self._jobs = Jobs()
        self._numbers = {name: number for number, name in enumerate(run.specimens)}

    def close(self) -> None:
        """Close the slides and end the other process."""
        self._jobs.close()
        self.slides.close()

    def describe(self) -> dict[str, Any]:
        """What the page needs to know of the run."""
        run = self.run
        scanners = [{"name": name, "unseen": name in run.unseen} for name in run.scanners]
        labels = []
        for label, count in zip(*np.unique(run.labels, return_counts=True), strict=True):
            labels.append({"label": int(label), "specimens": int(count)})
        return {
            "name": run.name,
            "notice": RESEARCH_USE_ONLY,
            "classes": list(run.class_names),
            "threshold": run.threshold,
            "scanners": scanners,
            "labels": labels,
            "specimens": len(run.specimens),
            "scans": len(run.scans),
            "slides": len(run.slides),
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
            scan["slide_id"] = self.run.slide_id(scan["number"])
            scan["slide"] = scan["number"] in self.run.slides
        return {
            "number": number,
            "specimen": self.run.specimens[number],
            "patient": self.run.patients[number],
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
        width, height = pyramid.size
        return {
            "width": width,
            "height": height,
            "tile": pyramid.tile_px,
            "levels": [pyramid.min_level, pyramid.max_level],
            "mpp": None if mpp is None else min(mpp),
        }

    async def links(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Where each of these scans of one specimen lies in the frame that their panes share.

        Raises:
            KeyError: no such scan, or scans of several specimens.
        """
        answers = []
        for number, scan in zip(numbers, await self._link(numbers), strict=True):
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
        spread_of, scans = await self._tiles(numbers)
        answers = []
        for number, scan in zip(numbers, scans, strict=True):
            answer: dict[str, Any] = {"number": number, "reason": scan.reason}
            if scan.tiles is not None and scan.frame is not None:
                answer.update(overlay_json(scan.tiles, scan.frame.pixel, scan.spread))
            answers.append(answer)
        return {"spread_of": spread_of, "scans": answers}

    async def geojson(self, number: int, numbers: Sequence[int]) -> dict[str, Any]:
        """The tiles of scan `number` for QuPath, with their spread over the scans `numbers`.

        Raises:
            KeyError: no such scan, or scans of several specimens.
            InputError: nothing is known of the tiles.
        """
        if number not in numbers:
            raise KeyError(number)
        _, scans = await self._tiles(numbers)
        scan = scans[numbers.index(number)]
        if scan.tiles is None:
            raise InputError("the scan", scan.reason)
        return await asyncio.to_thread(tiles_geojson, self.run.slide_id(number), scan.tiles, scan.spread)

    async def _tiles(self, numbers: Sequence[int]) -> tuple[str, list[ScanTiles]]:
        linked, tiles = await asyncio.gather(self._link(numbers), self._values(numbers))
        return await asyncio.to_thread(join_tiles, linked, tiles)

    async def _link(self, numbers: Sequence[int]) -> list[LinkedScan]:
        self._check(numbers)
        files = [self.run.files.get(number, NO_FILE) for number in numbers]
        return await self._jobs.run(("link", *numbers), register_scans, files)

    async def _values(self, numbers: Sequence[int]) -> list[KnownTiles]:
        self._check(numbers)
        run = self.run
        work = []
        for number in numbers:
            file = run.files.get(number, NO_FILE)
            arguments = file, run.slide_id(number), run.scanner_name(number), run.checkpoint, run.attention
            work.append(self._jobs.run(("tiles", number), read_tile_values, *arguments))
        return list(await asyncio.gather(*work))

    def _check(self, numbers: Sequence[int]) -> None:
        """Refuse what are not different scans of one specimen.

        Raises:
            KeyError: they are not.
        """
        if not numbers or len(set(numbers)) != len(numbers):
            raise KeyError(numbers)
        if min(numbers) < 0 or max(numbers) >= len(self.run.scans):
            raise KeyError(numbers)
        if len(np.unique(self.run.specimen[list(numbers)])) != 1:
            raise KeyError(numbers)
