"""Where the network looked: attention maps of every slide of an inference run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from ignite.engine import Engine, Events

if TYPE_CHECKING:
    from scangen_bundle.report.heatmap import Heatmap

logger = logging.getLogger(__name__)


class AttentionMapHandler:
    """Write where the network looked on each slide, and each specimen's maps on all its scanners side by side.

    The weights come from a forward hook on the network's attention submodule, which outputs [B, N].

    Args:
        network: the network that the evaluator runs.
        records: what the dataset was made of: dictionaries with `slide_id`, `features_path` and, for pictures of tissue,
            `slide_path`.
        folder: where the files go: `<slide_id>.png` (over the thumbnail), `<slide_id>.nii.gz`, `<slide_id>.geojson` and
            `<slide_id>_tiles.png`.
        manifest: gives specimen, scanner and stated mpp of each slide; with it, specimens with several scans get a
            `<specimen_id>_scanners.png`.
        attention: name of the submodule.
        thumbnail_px: longest side of the thumbnail below a map.
        geojson: write the tiles for QuPath.
        top_tiles: tiles on the contact sheet; 0 for no sheet.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        records: Sequence[Mapping[str, Any]],
        folder: str,
        manifest: pd.DataFrame | None = None,
        attention: str = "attention",
        thumbnail_px: int = 1600,
        geojson: bool = True,
        top_tiles: int = 12,
    ) -> None:
        self.records = {record["slide_id"]: record for record in records}
        self.folder = Path(folder)
        self.thumbnail_px, self.geojson, self.top_tiles = thumbnail_px, geojson, top_tiles
        self._weights: torch.Tensor | None = None
        self._module = network.get_submodule(attention)
        self._stated_mpp = {} if manifest is None else dict(zip(manifest["slide_id"], manifest["mpp"], strict=True))
        self._specimens = _specimens(manifest, self.records) if manifest is not None else {}
        self._waiting: dict[str, dict[str, tuple[Heatmap, np.ndarray | None]]] = {}

    def attach(self, engine: Engine) -> None:
        self._module.register_forward_hook(self._keep)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.write)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write_rest)

    def _keep(self, module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        self._weights = output.detach()

    def write(self, engine: Engine) -> None:
        """Write the maps of the batch that was just run."""
        batch = engine.state.batch
        assert self._weights is not None, "the attention submodule did not run"
        weights, mask = self._weights.float().cpu(), batch["mask"].cpu()
        for row, slide_id in enumerate(batch["slide_id"]):
            real = mask[row]
            self._write_slide(slide_id, batch["coords"][row].cpu()[real].numpy(), weights[row][real].numpy())

    def _write_slide(self, slide_id: str, coords: np.ndarray, weights: np.ndarray) -> None:
        from scangen_bundle.features import open_bag
        from scangen_bundle.features.bag import LEVEL0_PX
        from scangen_bundle.report.geojson import write_geojson
        from scangen_bundle.report.heatmap import attention_heatmap, write_nifti, write_overlay
        from scangen_bundle.report.thumbnail import read_thumbnail

        slide_path = self.records[slide_id].get("slide_path") or ""
        bag = open_bag(self.records[slide_id]["features_path"])
        mpp = bag.source_mpp or self._mpp(slide_id, slide_path)
        tile = bag.tile_size_level0(mpp)
        if mpp is None or tile is None:
            logger.warning("%s: no attention map, because %s does not tell the size of its tiles", slide_id, bag.path)
            return
        if bag.coords_unit != LEVEL0_PX:  # another tool's: an inference run takes whole bags, in their order
            coords = bag.coords_level0(mpp)
        thumbnail, size = None, tuple(coords.max(axis=0) + tile)
        if slide_path:
            thumbnail, size = read_thumbnail(slide_path, self.thumbnail_px)
        heatmap = attention_heatmap(coords, weights, tile, size, mpp)
        write_nifti(heatmap, self.folder / f"{slide_id}.nii.gz")
        write_overlay(heatmap, thumbnail, self.folder / f"{slide_id}.png", title=slide_id)
        if self.geojson:
            write_geojson(self.folder / f"{slide_id}.geojson", slide_id, coords, weights, tile)
        if self.top_tiles and slide_path:
            tile_px = int(bag.attributes["tile_px"])
            self._write_tiles(slide_id, slide_path, coords, weights, tile_px, tile[0] * mpp[0] / tile_px, mpp)
        self._keep_for_specimen(slide_id, heatmap, thumbnail)

    def _mpp(self, slide_id: str, slide_path: str) -> tuple[float, float] | None:
        """Resolution of level 0 where the bag does not tell: the manifest's, or else the slide's own."""
        from scangen_bundle.slides import open_slide

        stated = self._stated_mpp.get(slide_id, float("nan"))
        if stated == stated:
            return stated, stated
        if not slide_path:
            return None
        with open_slide(slide_path) as reader:
            return reader.mpp

    def _write_tiles(
        self,
        slide_id: str,
        slide_path: str,
        coords: np.ndarray,
        weights: np.ndarray,
        tile_px: int,
        mpp: float,
        source_mpp: tuple[float, float],
    ) -> None:
        from scangen_bundle.report.contact_sheet import read_tiles, top_tiles, write_contact_sheet

        best = top_tiles(weights, self.top_tiles)
        tiles = read_tiles(slide_path, coords[best], mpp, tile_px, source_mpp)
        path = self.folder / f"{slide_id}_tiles.png"
        write_contact_sheet(tiles, weights[best] * len(weights), coords[best], mpp, path, title=slide_id)

    def _keep_for_specimen(self, slide_id: str, heatmap: Heatmap, thumbnail: np.ndarray | None) -> None:
        """Keep a scan until the last one of its specimen is there, small, because scans come in any order."""
        if slide_id not in self._specimens:
            return
        specimen, titles = self._specimens[slide_id]
        if thumbnail is not None:
            step = max(1, max(thumbnail.shape) // 600)
            thumbnail = thumbnail[::step, ::step].copy()
        waiting = self._waiting.setdefault(specimen, {})
        waiting[slide_id] = heatmap, thumbnail
        if len(waiting) == len(titles):
            self._write_specimen(specimen)

    def _write_specimen(self, specimen: str) -> None:
        from scangen_bundle.report.side_by_side import write_side_by_side

        waiting = self._waiting.pop(specimen)
        _, titles = self._specimens[next(iter(waiting))]
        scans = {title: waiting[slide_id] for slide_id, title in titles.items() if slide_id in waiting}
        write_side_by_side(scans, self.folder / f"{specimen}_scanners.png", title=specimen)

    def write_rest(self, engine: Engine) -> None:
        """Write the specimens of which some scans did not come, where there are at least two."""
        for specimen in list(self._waiting):
            if len(self._waiting[specimen]) > 1:
                self._write_specimen(specimen)
        self._waiting.clear()


def _specimens(manifest: pd.DataFrame, slides: Mapping[str, object]) -> dict[str, tuple[str, dict[str, str]]]:
    """For each slide of a specimen with several scans: the specimen, and a title for each of its slides, by scanner."""
    known = manifest[manifest["slide_id"].isin(list(slides))].sort_values(["specimen_id", "scanner", "slide_id"])
    result: dict[str, tuple[str, dict[str, str]]] = {}
    for specimen, scans in known.groupby("specimen_id"):
        if len(scans) > 1:
            again = scans["scanner"].duplicated(keep=False)
            titles = {
                slide_id: f"{scanner} ({slide_id})" if repeated else scanner
                for slide_id, scanner, repeated in zip(scans["slide_id"], scans["scanner"], again, strict=True)
            }
            result.update({slide_id: (str(specimen), titles) for slide_id in titles})
    return result
