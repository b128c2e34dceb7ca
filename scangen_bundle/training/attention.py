"""Attention maps of every slide of an inference run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ignite.distributed as idist
import numpy as np
import pandas as pd
import torch
from ignite.engine import Engine, Events
from tqdm import tqdm

from scangen_bundle.errors import some
from scangen_bundle.files import check_writable
from scangen_bundle.networks import named_submodule, unwrap
from scangen_bundle.processes import process_pool, usable_cores

if TYPE_CHECKING:
    from scangen_bundle.report.attention_files import AttendedScan

logger = logging.getLogger(__name__)

PER_PROCESS = 12  # slides that pay for starting a process to draw them


class AttentionMapHandler:
    """Write where the network looked on each slide, and each specimen's maps on all its scanners side by side.

    The weights come from a forward hook on the network's attention submodule, which outputs [B, N]. They are kept until all
    bags are predicted, so that predictions do not wait for pictures; then the maps are drawn, specimen by specimen, in
    several processes. What an earlier run has finished with the same attention is kept.

    Many slides are drawn in processes that are started afresh: a script that does so needs the usual
    `if __name__ == "__main__":`.

    Args:
        network: the network that the evaluator runs.
        records: what the dataset was made of: dictionaries with `slide_id`, `features_path` and, for pictures of tissue,
            `slide_path`.
        folder: where the files go: `<slide_id>.png` (over the thumbnail), `<slide_id>.nii.gz`, `<slide_id>.geojson` and
            `tiles/<slide_id>.png`.
        manifest: gives specimen, scanner and stated mpp of each slide; with it, specimens with several scans get a
            `scanners/<specimen_id>.png`.
        attention: name of the submodule.
        thumbnail_px: longest side of the thumbnail below a map.
        geojson: write the tiles for QuPath.
        top_tiles: tiles on the contact sheet; 0 for no sheet.
        workers: most processes that draw; None takes one per processor, at most 4.
        captions: a line below the title of each slide's map, by slide id; it may be filled until the maps are drawn.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        records: Sequence[Mapping[str, Any]],
        folder: str,
        manifest: pd.DataFrame | None = None,
        attention: str = "attention",
        thumbnail_px: int = 1000,
        geojson: bool = True,
        top_tiles: int = 12,
        workers: int | None = None,
        captions: Mapping[str, str] | None = None,
    ) -> None:
        self.records = {record["slide_id"]: record for record in records}
        self.folder = Path(folder)
        self.thumbnail_px, self.geojson, self.top_tiles = thumbnail_px, geojson, top_tiles
        self.workers = workers or min(4, usable_cores())
        self.captions = {} if captions is None else captions
        self._module = named_submodule(unwrap(network), attention)
        self._stated_mpp = {} if manifest is None else dict(zip(manifest["slide_id"], manifest["mpp"], strict=True))
        self._specimens = _specimens(manifest, self.records)
        self._last: torch.Tensor | None = None
        self._weights: dict[str, np.ndarray] = {}

    def attach(self, engine: Engine) -> None:
        self._module.register_forward_hook(self._keep)
        engine.add_event_handler(Events.STARTED, self.check)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)

    def check(self, engine: Engine) -> None:
        """Fail before the forward passes where the maps cannot be written after them."""
        if idist.get_rank() == 0:
            check_writable(self.folder)

    def _keep(self, module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        self._last = output.detach()

    def collect(self, engine: Engine) -> None:
        """Keep the weights of the batch that was just run."""
        assert self._last is not None, "the attention submodule did not run"
        weights, mask = self._last.float().cpu(), engine.state.batch["mask"].cpu()
        for row, slide_id in enumerate(engine.state.batch["slide_id"]):
            self._weights[slide_id] = weights[row][mask[row]].numpy()

    def write(self, engine: Engine) -> None:
        """Draw what is not there yet, of the slides of all processes; the first of them draws."""
        weights: dict[str, np.ndarray] = {}
        for of_process in idist.all_gather(self._weights):
            weights.update(of_process)
        self._weights = {}
        if idist.get_rank() != 0:
            return
        specimens = {}
        for specimen, titles in self._specimens.items():
            scans = self._attended(titles, weights)
            if scans:
                specimens[specimen] = scans
        drawable, unknown = sum(map(len, specimens.values())), []
        with tqdm(total=drawable, desc="attention maps", unit="slide") as bar:
            for scans, left_out in zip(specimens.values(), self._draw(specimens), strict=True):
                unknown += left_out
                bar.update(len(scans))
        if unknown:
            logger.warning(
                "no attention map of %d slides, whose bags do not tell the size of their tiles: %s",
                len(unknown),
                some(unknown),
            )
        if drawable > len(unknown):
            print(f"wrote attention maps of {drawable - len(unknown)} slides to {self.folder}")

    def _attended(self, titles: Mapping[str, str], weights: Mapping[str, np.ndarray]) -> list[AttendedScan]:
        """Those of a specimen's scans that were predicted."""
        from scangen_bundle.report.attention_files import AttendedScan

        return [
            AttendedScan(
                slide_id,
                title,
                self.records[slide_id]["features_path"],
                self.records[slide_id].get("slide_path") or "",
                self._stated_mpp.get(slide_id, float("nan")),
                weights[slide_id],
                self.captions.get(slide_id, ""),
            )
            for slide_id, title in titles.items()
            if slide_id in weights
        ]

    def _draw(self, specimens: Mapping[str, Sequence[AttendedScan]]) -> Iterator[list[str]]:
        """Draw them; gives for each specimen, in order, the slides that could not be drawn."""
        from scangen_bundle.report.attention_files import AttentionFiles, write_specimen

        files = AttentionFiles(self.folder, self.thumbnail_px, self.geojson, self.top_tiles)
        work = partial(write_specimen, files=files)
        workers = min(self.workers, sum(map(len, specimens.values())) // PER_PROCESS)
        if workers < 2:
            yield from map(work, specimens.keys(), specimens.values())
            return
        with process_pool(workers, write_specimen.__module__) as pool:
            yield from pool.map(work, specimens.keys(), specimens.values())


def _specimens(manifest: pd.DataFrame | None, slides: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """For each specimen its slides with a title for each, by scanner; without a manifest each slide is a specimen."""
    if manifest is None:
        return {slide_id: {slide_id: slide_id} for slide_id in slides}
    rows = manifest[manifest["slide_id"].isin(list(slides))].sort_values(["specimen_id", "scanner", "slide_id"])
    titles: dict[str, dict[str, str]] = {}
    for specimen, scans in rows.groupby("specimen_id"):
        repeated = scans["scanner"].duplicated(keep=False)
        with_slide = scans["scanner"] + " (" + scans["slide_id"] + ")"
        titles[str(specimen)] = dict(zip(scans["slide_id"], scans["scanner"].mask(repeated, with_slide), strict=True))
    return titles
