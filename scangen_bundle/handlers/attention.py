"""Where the network looked: attention maps of every slide of an inference run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events

logger = logging.getLogger(__name__)


class AttentionMapHandler:
    """Write each slide's attention as NIfTI and as a PNG over the slide's thumbnail.

    The weights come from a forward hook on the network's attention submodule, which outputs [B, N].

    Args:
        network: the network that the evaluator runs.
        records: what the dataset was made of: dictionaries with `slide_id`, `features_path` and, for the picture,
            `slide_path`.
        folder: where the files go: `<slide_id>.nii.gz` and `<slide_id>.png`.
        attention: name of the submodule.
        thumbnail_px: longest side of the picture's thumbnail.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        records: Sequence[Mapping[str, Any]],
        folder: str,
        attention: str = "attention",
        thumbnail_px: int = 1600,
    ) -> None:
        self.records = {record["slide_id"]: record for record in records}
        self.folder = Path(folder)
        self.thumbnail_px = thumbnail_px
        self._weights: torch.Tensor | None = None
        self._module = network.get_submodule(attention)

    def attach(self, engine: Engine) -> None:
        self._module.register_forward_hook(self._keep)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.write)

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

    def _write_slide(self, slide_id: str, coords: Any, weights: Any) -> None:
        from scangen_bundle.features import open_bag
        from scangen_bundle.report.heatmap import attention_heatmap, write_nifti, write_overlay
        from scangen_bundle.report.thumbnail import read_thumbnail

        record = self.records[slide_id]
        attributes = open_bag(record["features_path"]).attributes
        mpp = float(attributes["source_mpp_x"]), float(attributes["source_mpp_y"])
        side_um = float(attributes["tile_px"]) * float(attributes["mpp"])
        tile = side_um / mpp[0], side_um / mpp[1]
        thumbnail, size = None, tuple(coords.max(axis=0) + tile)
        if record.get("slide_path"):
            thumbnail, size = read_thumbnail(record["slide_path"], self.thumbnail_px)
        heatmap = attention_heatmap(coords, weights, tile, size, mpp)
        write_nifti(heatmap, self.folder / f"{slide_id}.nii.gz")
        write_overlay(heatmap, thumbnail, self.folder / f"{slide_id}.png", title=slide_id)
