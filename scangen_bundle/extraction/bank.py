"""Some tiles of each slide under virtual scanners, encoded: what the method `virtual` is fitted on."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.bags import FeatureBag, open_bag
from scangen_bundle.bags.virtual import BANK_FOLDER, bank_path, bank_settings, write_bank
from scangen_bundle.encoders import Encoder
from scangen_bundle.errors import InputError
from scangen_bundle.fingerprint import fingerprint
from scangen_bundle.processes import usable_cores
from scangen_bundle.progress import with_bar
from scangen_bundle.slides import TileReader, open_slide
from scangen_bundle.slides.virtual_scanner import draw_scanners

logger = logging.getLogger(__name__)


class BankJob:
    """Encode some tiles of some slides as they are and under each of several virtual scanners.

    Files go to `<features_dir>/virtual/<slide_id>.npz`; a finished one is not made again. Each holds one slide's tiles, so a
    training reads those of its own patients only.

    Args:
        manifest: see `cohort.load_manifest`. Scans with a slide and a bag of this encoder are taken.
        features_dir: of the bags; tiles lie where the bags have them, at the bags' resolution.
        encoder: that made the bags.
        scanners: K virtual scanners; the first ones are the same whatever their number.
        tiles_per_scan: m, evenly spaced over the bag.
        max_scans: slides that are taken, spread over the cohort by a hash of their id.
        seed: of the virtual scanners and their noise.
    """

    def __init__(
        self,
        manifest: pd.DataFrame,
        features_dir: str,
        encoder: Encoder,
        scanners: int = 24,
        tiles_per_scan: int = 2,
        max_scans: int = 240,
        seed: int = 0,
    ) -> None:
        self.folder, self.features_dir, self.encoder = Path(features_dir) / BANK_FOLDER, Path(features_dir), encoder
        self.tiles_per_scan, self.seed = tiles_per_scan, seed
        self.scanners = draw_scanners(scanners, seed)
        self.settings = {"encoder": encoder.name, "scanners": scanners, "tiles": tiles_per_scan, "seed": seed}
        with_slides = manifest[manifest["slide_path"] != ""]
        order = with_slides["slide_id"].map(lambda name: hashlib.sha256(name.encode()).hexdigest())
        self.scans = with_slides.assign(order=order).sort_values("order").head(max_scans).to_dict("records")

    def run(self) -> None:
        """Make what is missing.

        Raises:
            InputError: no scan has a slide, or no slide could be encoded; each failure is logged.
        """
        if not self.scans:
            raise InputError("manifest", "no scan has a slide_path", "virtual scanners change pixels: give the slides")
        waiting = [scan for scan in self.scans if not self._is_done(scan)]
        failed = 0
        with ThreadPoolExecutor(usable_cores()) as pool:
            for scan in with_bar(waiting, "tiles under virtual scanners"):
                try:
                    self._encode(scan, pool)
                except InputError as error:
                    failed += 1
                    logger.warning("%s is left out: %s", scan["slide_id"], error)
        if failed == len(self.scans):
            raise InputError(self.folder, f"none of {failed} slides could be encoded", "see the warnings above")
        print(
            f"{len(self.scans) - failed} of {len(self.scans)} slides have tiles under {len(self.scanners)} virtual scanners"
        )
        print(f"wrote {self.folder}")

    def _is_done(self, scan: Mapping[str, Any]) -> bool:
        return bank_settings(bank_path(self.features_dir, scan["slide_id"])) == self._settings_of(scan)

    def _settings_of(self, scan: Mapping[str, Any]) -> dict[str, Any]:
        """What decides a slide's file, so that one of a slide or bag that was replaced is made again."""
        bag = self.features_dir / f"{scan['slide_id']}.h5"
        inputs = {"slide": fingerprint(scan["slide_path"], times=False), "bag": fingerprint(bag, times=False)}
        return {**self.settings, **inputs}

    def _encode(self, scan: Mapping[str, Any], pool: ThreadPoolExecutor) -> None:
        slide_id = scan["slide_id"]
        bag = open_bag(self.features_dir / f"{slide_id}.h5")
        tiles = self._read_tiles(scan, bag)
        noise = int.from_bytes(hashlib.sha256(slide_id.encode()).digest()[:8], "big")
        generators = [np.random.default_rng((self.seed, index, noise)) for index in range(len(self.scanners))]
        moved = pool.map(lambda scanner, generator: scanner.apply(tiles, generator), self.scanners, generators)
        plain = self.encoder.encode(tiles)
        virtual = self.encoder.encode(np.concatenate(list(moved))).reshape(len(self.scanners), *plain.shape)
        write_bank(bank_path(self.features_dir, slide_id), plain, virtual, self._settings_of(scan))

    def _read_tiles(self, scan: Mapping[str, Any], bag: FeatureBag) -> np.ndarray:
        """Evenly spaced tiles of the bag, read from the slide: uint8 [m, tile_px, tile_px, 3]."""
        if bag.attributes.get("encoder") != self.encoder.name:
            problem = f"is of the encoder {bag.attributes.get('encoder')}, not {self.encoder.name}"
            raise InputError(bag.path, problem, "extract with the same encoder")
        rows = np.unique(np.linspace(0, len(bag) - 1, self.tiles_per_scan + 2)[1:-1].astype(int))
        source_mpp = bag.source_mpp or scan["mpp"]
        with open_slide(scan["slide_path"]) as slide:
            reader = TileReader(slide, float(bag.attributes["mpp"]), int(bag.attributes["tile_px"]), source_mpp, True)
            return reader.read(bag.coords_level0()[rows])
