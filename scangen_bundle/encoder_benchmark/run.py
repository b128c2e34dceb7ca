"""The benchmark: match the scans, encode, measure, and write tables, JSON, MLflow runs and the leaderboard page."""

from __future__ import annotations

import inspect
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from scangen_bundle import RESEARCH_USE_ONLY, __version__
from scangen_bundle.encoder_benchmark.leaderboard import COLOUR
from scangen_bundle.encoder_benchmark.matching import (
    Matching,
    MatchSettings,
    match_specimens,
    open_scans,
    read_overviews,
    shared_scanners,
)
from scangen_bundle.encoder_benchmark.measure import measure_encoder, settle_k
from scangen_bundle.encoder_benchmark.pictures import is_picture
from scangen_bundle.encoder_benchmark.registration_overlay import registration_overlay
from scangen_bundle.encoder_benchmark.results import compare_encoders, write_results
from scangen_bundle.encoder_benchmark.settings import MeasureSettings, TileSettings
from scangen_bundle.encoder_benchmark.sources import (
    EncoderFeatures,
    encode_slides,
    load_features,
    read_bags,
    save_features,
)
from scangen_bundle.encoder_benchmark.tracking import FILES, tracked_values
from scangen_bundle.encoders import Encoder, create_encoder
from scangen_bundle.errors import InputError, check_known
from scangen_bundle.files import write_atomically
from scangen_bundle.fingerprint import fingerprint
from scangen_bundle.measures.feature_measure import feature_measures
from scangen_bundle.names import check_name
from scangen_bundle.runs import TrackingSettings

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 4
OVERLAYS = 3  # specimens whose registration is drawn


class BenchmarkJob:
    """How scanner-sensitive is each encoder on these scans?

    Results are in `output_dir`: `results.json` (see docs/encoder_benchmark.md), `results.csv`, `leaderboard.html`, its
    first table as `leaderboard.md`, and pictures of some registrations. A later session resumes: an encoder that was measured
    with the same settings on the same files is not measured again.

    Args:
        manifest: see `cohort.load_manifest`.
        encoders: names, or for each name the folder of its feature bags, or None to encode here. Where slides are encoded
            colour statistics are, too: what the scanner probes are compared with.
        output_dir: for the results.
        scanners: the scanners that are paired, the reference first; None takes those that share most specimens.
        tiles: which tiles are measured; None takes the defaults.
        measures: how they are measured; None takes the defaults.
        tracking: where MLflow runs go; None logs nothing.
        seed: of every draw.
        command: how this was started, for the page.

    Raises:
        InputError: no encoder, or names that do not exist.
    """

    def __init__(
        self,
        manifest: pd.DataFrame,
        encoders: Sequence[str] | Mapping[str, str | None],
        output_dir: str,
        scanners: Sequence[str] | None = None,
        tiles: TileSettings | None = None,
        measures: MeasureSettings | None = None,
        tracking: TrackingSettings | None = None,
        seed: int = 0,
        command: str = "",
    ) -> None:
        self.folders = dict(encoders) if isinstance(encoders, Mapping) else dict.fromkeys(encoders)
        if not self.folders:
            raise InputError("encoders", "there are none to measure", "name at least one encoder")
        for name in self.folders:
            check_name("encoders", name)
        if None in self.folders.values():
            self.folders.setdefault(COLOUR, None)
        self.tiles, self.measures = tiles or TileSettings(), measures or MeasureSettings()
        check_known("encoder_options", self.tiles.encoder_options, self.folders)
        check_known("scanners", scanners or (), sorted(set(manifest["scanner"])))
        self.manifest, self.output_dir = manifest, Path(output_dir)
        self.scanners = list(scanners) if scanners else shared_scanners(manifest)
        self.tracking = tracking or TrackingSettings(experiment=None)
        self.seed, self.command = seed, command

    def run(self) -> dict[str, Any]:
        """Measure every encoder, write the results and return them."""
        self.output_dir.mkdir(parents=True, exist_ok=True)
        encoders = {name: self._encoder(name) for name, folder in self.folders.items() if not folder}
        settings = self.tiles.match_settings(encoders.values(), self.seed)
        matching = self._match(settings) if encoders else None
        params = {"seed": self.seed, "resamples": self.measures.resamples, "command": self.command}
        # Started before the long work: a store that cannot be reached ends it here.
        parent = self.tracking.start_run(self.output_dir, "benchmark", params)
        results: dict[str, Any] = {}
        failed: dict[str, str] = {}
        for name in self.folders:
            try:
                results[name] = self._measured(name, encoders.get(name), matching, settings)
            except InputError as error:
                if len(failed) + 1 == len(self.folders):
                    raise
                failed[name] = str(error)
                logger.warning("%s is not measured: %s", name, error)
        settle_k(results, self.measures.robustness_k)
        content = self._content(results, failed, matching, settings)
        write_results(self.output_dir, content)
        if parent is not None:
            for name, result in results.items():
                run = self.tracking.start_run(self.output_dir, name, params, parent)
                if run is not None:
                    run.log_metrics(tracked_values(result))
                    run.finish()
            for file in FILES:
                parent.log_artifact(self.output_dir / file)
            parent.finish()
        logger.info("the leaderboard is %s", self.output_dir / "leaderboard.html")
        return content

    def _encoder(self, name: str) -> Encoder:
        resolution = {"mpp": self.tiles.mpp} if self.tiles.mpp else {}
        return create_encoder(name, **{**resolution, **self.tiles.encoder_options.get(name, {})})

    def _match(self, settings: MatchSettings) -> Matching | None:
        """Corresponding places of all slides; pictures correspond without registration."""
        slides = self.manifest[~self.manifest["slide_path"].map(is_picture)]
        if not self.scanners or not len(slides):
            return None
        matching = match_specimens(slides, settings, self.scanners)
        self._write_overlays(matching, settings)
        return matching

    def _measured(
        self, name: str, encoder: Encoder | None, matching: Matching | None, settings: MatchSettings
    ) -> dict[str, Any]:
        """The encoder's results, from an earlier session where nothing has changed since."""
        key_of_features = self._key_of_features(name, encoder, settings)
        key = json.dumps([key_of_features, asdict(self.measures), _measures_key(), SCHEMA_VERSION, __version__])
        path = self.output_dir / "encoders" / f"{name}.json"
        if path.is_file():
            earlier = _earlier_result(path)
            if earlier.get("key") == key:
                logger.info("%s was measured before", name)
                return earlier["result"]
        features = self._features(name, encoder, matching, settings, key_of_features)
        facts = {
            fact: None if isinstance(value, float) and not math.isfinite(value) else value
            for fact, value in features.facts.items()
        }
        result = {
            "encoder": facts,
            **measure_encoder(features, self.manifest, self.scanners, self.measures, self.seed),
            "left_out": features.left_out,
            "warnings": features.warnings,
        }
        with write_atomically(path) as temporary:
            temporary.write_text(json.dumps({"key": key, "result": result}, allow_nan=False))
        return result

    def _key_of_features(self, name: str, encoder: Encoder | None, settings: MatchSettings) -> str:
        """What the features depend on: the encoder or the bags, the slides, and the settings."""
        folder = str(self.folders[name])
        source = [encoder.key, *self._slide_fingerprints] if encoder else [folder, fingerprint(folder)]
        table = str(pd.util.hash_pandas_object(self.manifest, index=False).sum())
        options = [asdict(settings), self.scanners, self.tiles.allow_upsampling, self.tiles.max_tiles]
        return json.dumps([source, table, *options], default=str)

    @cached_property
    def _slide_fingerprints(self) -> list[str]:
        """Of the slides and pictures of the manifest, so that a replaced one is encoded again."""
        return [fingerprint(path) for path in self.manifest["slide_path"] if path]

    def _features(
        self, name: str, encoder: Encoder | None, matching: Matching | None, settings: MatchSettings, key: str
    ) -> EncoderFeatures:
        if encoder is None:
            return read_bags(self.manifest, str(self.folders[name]), self.tiles.max_tiles)
        path = self.output_dir / "features" / f"{name}.npz"
        features = load_features(path, key)
        if features is None:
            matching = matching or Matching([], [], {})
            upsampling, most = self.tiles.allow_upsampling, self.tiles.max_tiles
            features = encode_slides(self.manifest, matching, settings, encoder, upsampling, most)
            if not features.tiles:
                first = next(iter(features.left_out.items()), ("the manifest", "it has no scan"))
                raise InputError(f"encoder {name!r}", f"no scan could be encoded; {first[0]}: {first[1]}", "see above")
            save_features(path, features, key)
        return features

    def _content(
        self,
        results: Mapping[str, Any],
        failed: Mapping[str, str],
        matching: Matching | None,
        settings: MatchSettings,
    ) -> dict[str, Any]:
        """What results.json holds."""
        specimens = matching.specimens if matching else []
        return {
            "schema_version": SCHEMA_VERSION,
            "use": RESEARCH_USE_ONLY,
            "settings": {
                **asdict(settings),
                "scanners": self.scanners,
                "max_tiles": self.tiles.max_tiles,
                "head": asdict(self.measures.head_settings),
                "robustness_k": self.measures.robustness_k,
                "resamples": self.measures.resamples,
                "command": self.command,
                "version": __version__,
            },
            "warnings": compare_encoders(results),
            "failed": dict(failed),
            "registration": {
                "error_um": {specimen.specimen_id: round(specimen.error_um, 2) for specimen in specimens},
                "left_out": matching.left_out if matching else {},
            },
            "encoders": dict(results),
        }

    def _write_overlays(self, matching: Matching, settings: MatchSettings) -> None:
        rows = self.manifest.set_index("slide_id")
        for specimen in matching.specimens[:OVERLAYS]:
            scans = list(rows.loc[specimen.slide_ids].itertuples())
            with open_scans(scans) as (readers, source):
                overviews, step_um = read_overviews(readers, source, settings)
            moving = zip(overviews[1:], specimen.slide_ids[1:], specimen.registrations, strict=True)
            for overview, slide_id, registration in moving:
                picture = registration_overlay(overviews[0], overview, step_um, registration)
                with write_atomically(self.output_dir / "registration" / f"{slide_id}.png") as temporary:
                    Image.fromarray(picture).save(temporary)


def _measures_key() -> list[str]:
    """The measures there are, and the state of the files that a user's own ones come from."""
    measures = feature_measures()
    modules = {measure.compute.__module__: measure.compute for measure in measures.values() if measure.compute}
    plugins = [name for name in sorted(modules) if not name.startswith("scangen_bundle.")]
    return [*measures, *(fingerprint(inspect.getfile(modules[name])) for name in plugins)]


def _earlier_result(path: Path) -> dict[str, Any]:
    """What an earlier session kept; nothing where the file is damaged, so that the encoder is measured again."""
    try:
        return dict(json.loads(path.read_text()))
    except (ValueError, TypeError, RecursionError):
        logger.warning("%s is damaged; the encoder is measured again", path)
        return {}
