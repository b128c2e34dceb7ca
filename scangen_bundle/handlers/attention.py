"""Where the network looked: attention maps of every slide of an inference run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from ignite.engine import Engine, Events
from tqdm import tqdm

from scangen_bundle.files import write_atomically

if TYPE_CHECKING:
    from scangen_bundle.report.heatmap import Heatmap

logger = logging.getLogger(__name__)

LISTED = 5


@dataclass(frozen=True)
class _Drawn:
    """A slide's map for the picture of its specimen; `was_there`: an earlier run had drawn it."""

    heatmap: Heatmap
    thumbnail: np.ndarray | None
    was_there: bool


class AttentionMapHandler:
    """Write where the network looked on each slide, and each specimen's maps on all its scanners side by side.

    The weights come from a forward hook on the network's attention submodule, which outputs [B, N]. They are kept until all
    bags are predicted, so that predictions do not wait for pictures; then the maps are drawn, specimen by specimen. A slide's
    NIfTI file is written last: where it is there with the same attention, an earlier run has finished the slide.

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
        thumbnail_px: int = 1000,
        geojson: bool = True,
        top_tiles: int = 12,
    ) -> None:
        self.records = {record["slide_id"]: record for record in records}
        self.folder = Path(folder)
        self.thumbnail_px, self.geojson, self.top_tiles = thumbnail_px, geojson, top_tiles
        self._module = network.get_submodule(attention)
        self._stated_mpp = {} if manifest is None else dict(zip(manifest["slide_id"], manifest["mpp"], strict=True))
        self._specimens = _specimens(manifest, self.records)
        self._last: torch.Tensor | None = None
        self._weights: dict[str, np.ndarray] = {}

    def attach(self, engine: Engine) -> None:
        self._module.register_forward_hook(self._keep)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)

    def _keep(self, module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        self._last = output.detach()

    def collect(self, engine: Engine) -> None:
        """Keep the weights of the batch that was just run."""
        assert self._last is not None, "the attention submodule did not run"
        weights, mask = self._last.float().cpu(), engine.state.batch["mask"].cpu()
        for row, slide_id in enumerate(engine.state.batch["slide_id"]):
            self._weights[slide_id] = weights[row][mask[row]].numpy()

    def write(self, engine: Engine) -> None:
        """Draw what is not there yet."""
        from scangen_bundle.report.side_by_side import write_side_by_side

        drawable, unknown = len(self._weights), []
        with tqdm(total=drawable, desc="attention maps", unit="slide") as bar:
            for specimen, titles in self._specimens.items():
                scans: dict[str, tuple[Heatmap, np.ndarray | None]] = {}
                finished = True
                for slide_id, title in titles.items():
                    if slide_id in self._weights:
                        drawn = self._write_slide(slide_id, self._weights.pop(slide_id))
                        bar.update()
                        if drawn is None:
                            unknown.append(slide_id)
                            continue
                        scans[title] = drawn.heatmap, drawn.thumbnail
                        finished &= drawn.was_there
                path = self.folder / f"{specimen}_scanners.png"
                if len(scans) > 1 and not (finished and path.exists()):
                    write_side_by_side(scans, path, title=specimen)
        if unknown:
            logger.warning(
                "no attention map of %d slides, whose bags do not tell the size of their tiles: %s%s",
                len(unknown),
                ", ".join(unknown[:LISTED]),
                " ..." if len(unknown) > LISTED else "",
            )
        if drawable > len(unknown):
            print(f"wrote attention maps of {drawable - len(unknown)} slides to {self.folder}")

    def _write_slide(self, slide_id: str, weights: np.ndarray) -> _Drawn | None:
        """The slide's files; None where the size of its tiles is not known."""
        from scangen_bundle.features import open_bag
        from scangen_bundle.report.geojson import write_geojson
        from scangen_bundle.report.heatmap import attention_heatmap, nifti_bytes, write_overlay
        from scangen_bundle.slides import read_thumbnail

        slide_path = self.records[slide_id].get("slide_path") or ""
        bag = open_bag(self.records[slide_id]["features_path"])
        mpp = bag.source_mpp or self._mpp(slide_id, slide_path)
        tile = bag.tile_size_level0(mpp)
        if mpp is None or tile is None:
            return None
        coords = bag.coords_level0(mpp)  # an inference run takes whole bags, in their order
        thumbnail, size = None, tuple(coords.max(axis=0) + tile)
        if slide_path:
            thumbnail, size = read_thumbnail(slide_path, self.thumbnail_px)
        heatmap = attention_heatmap(coords, weights, tile, size, mpp)
        nifti, content = self.folder / f"{slide_id}.nii.gz", nifti_bytes(heatmap)
        small = (
            None if thumbnail is None else thumbnail[:: (step := max(1, max(thumbnail.shape) // 600)), ::step].copy()
        )
        if nifti.exists() and nifti.read_bytes() == content:
            return _Drawn(heatmap, small, was_there=True)
        write_overlay(heatmap, thumbnail, self.folder / f"{slide_id}.png", title=slide_id)
        if self.geojson:
            write_geojson(self.folder / f"{slide_id}.geojson", slide_id, coords, weights, tile)
        if self.top_tiles and slide_path:
            tile_px = int(bag.attributes["tile_px"])
            self._write_tiles(slide_id, slide_path, coords, weights, tile_px, tile[0] * mpp[0] / tile_px, mpp)
        with write_atomically(nifti) as temporary:
            temporary.write_bytes(content)
        return _Drawn(heatmap, small, was_there=False)

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


def _specimens(manifest: pd.DataFrame | None, slides: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """For each specimen its slides with a title for each, by scanner; without a manifest each slide is a specimen."""
    if manifest is None:
        return {slide_id: {slide_id: slide_id} for slide_id in slides}
    known = manifest[manifest["slide_id"].isin(list(slides))].sort_values(["specimen_id", "scanner", "slide_id"])
    result: dict[str, dict[str, str]] = {}
    for specimen, scans in known.groupby("specimen_id"):
        again = scans["scanner"].duplicated(keep=False)
        result[str(specimen)] = {
            slide_id: f"{scanner} ({slide_id})" if repeated else scanner
            for slide_id, scanner, repeated in zip(scans["slide_id"], scans["scanner"], again, strict=True)
        }
    return result
