"""The benchmark: match the scans, encode, measure, and write tables, JSON, MLflow runs and the leaderboard page."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from scangen_bundle import RESEARCH_USE_ONLY, __version__
from scangen_bundle.encoder_benchmark.catalogue import COLOUR
from scangen_bundle.encoder_benchmark.downstream import HeadSettings
from scangen_bundle.encoder_benchmark.matching import (
    Matching,
    MatchSettings,
    match_specimens,
    open_scans,
    read_overviews,
    shared_scanners,
)
from scangen_bundle.encoder_benchmark.measure import measure, settle_k
from scangen_bundle.encoder_benchmark.pictures import is_picture
from scangen_bundle.encoder_benchmark.registration_overlay import registration_overlay
from scangen_bundle.encoder_benchmark.results import compare_encoders, write_results
from scangen_bundle.encoder_benchmark.sources import (
    EncoderFeatures,
    encode_slides,
    load_features,
    read_bags,
    save_features,
)
from scangen_bundle.encoders import Encoder, create_encoder
from scangen_bundle.errors import InputError, check_known
from scangen_bundle.extraction.tiling import check_options
from scangen_bundle.files import write_atomically
from scangen_bundle.fingerprint import fingerprint
from scangen_bundle.names import check_name
from scangen_bundle.runs.tracking import RunTracker

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 3
OVERLAYS = 3  # specimens of which pictures are written
# What each of the job's tables of options may hold; the rest of a registration's settings are the job's own.
REGISTRATION = sorted(
    {field.name for field in fields(MatchSettings)} - {"field_um", "max_places", "min_tissue", "tissue", "seed"}
)
HEAD = sorted(field.name for field in fields(HeadSettings))


class BenchmarkJob:
    """How scanner-sensitive is each encoder on these scans?

    Results are in `output_dir`: `results.json` (see docs/encoder_benchmark.md), `results.csv`, `leaderboard.html`, its
    first table as `leaderboard.md`, and pictures of some registrations. A later session resumes: an encoder that was measured
    with the same settings is not measured again.

    Args:
        manifest: see `cohort.load_manifest`.
        encoders: names, or for each name the folder of its feature bags, or None to encode here. Where slides are encoded
            colour statistics are, too: what the scanner probes are compared with.
        output_dir: for the results.
        scanners: the scanners that are paired, the reference first; None takes those that share most specimens.
        mpp: µm/px of the tiles for all encoders; None takes each encoder's own.
        max_places: fields of view per specimen.
        min_tissue: least share of tissue in a field of view.
        tissue: options of `slides.tissue_mask`.
        registration: further options of `matching.MatchSettings`.
        allow_upsampling: see `slides.TileReader`.
        encoder_options: options of `encoders.create_encoder`, by name.
        max_tiles: tiles taken of each scan of a folder of feature bags or of pictures, evenly spread; None takes all.
        head: options of `downstream.HeadSettings`.
        robustness_k: neighbours of the robustness index, for all encoders; None takes the median of their best ones.
        device: for the MIL head and the retrieval; encoders have their own in `encoder_options`.
        resamples: of the bootstrap.
        seed: of every draw.
        experiment: MLflow experiment; None logs nothing there.
        tracking_uri, tracking_required: see `runs.RunTracker`.
        store_dir: holds the default MLflow store, which other jobs share; None takes `output_dir`.
        command: how this was started, for the page.
    """

    def __init__(
        self,
        manifest: pd.DataFrame,
        encoders: Sequence[str] | Mapping[str, str | None],
        output_dir: str,
        scanners: Sequence[str] | None = None,
        mpp: float | None = None,
        max_places: int = 32,
        min_tissue: float = 0.5,
        tissue: Mapping[str, Any] | None = None,
        registration: Mapping[str, Any] | None = None,
        allow_upsampling: bool = False,
        encoder_options: Mapping[str, Mapping[str, Any]] | None = None,
        max_tiles: int | None = 512,
        head: Mapping[str, Any] | None = None,
        robustness_k: int | None = None,
        device: str = "cpu",
        resamples: int = 1000,
        seed: int = 0,
        experiment: str | None = "scangen-benchmark",
        tracking_uri: str | None = None,
        tracking_required: bool = True,
        store_dir: str | None = None,
        command: str = "",
    ) -> None:
        self.manifest = manifest
        self.folders = dict(encoders) if isinstance(encoders, Mapping) else dict.fromkeys(encoders)
        if not self.folders:
            raise InputError("encoders", "there are none to measure", "name at least one encoder")
        for name in self.folders:
            check_name("encoders", name)
        if None in self.folders.values():
            self.folders.setdefault(COLOUR, None)
        check_options("tissue", tissue or {})
        check_known("registration", registration or (), REGISTRATION)
        check_known("head", head or (), HEAD)
        check_known("encoder_options", encoder_options or (), self.folders)
        check_known("scanners", scanners or (), sorted(set(manifest["scanner"])))
        if min(max_places, resamples) < 1:
            problem = f"max_places is {max_places} and resamples {resamples}, expected at least 1"
            raise InputError("the benchmark", problem, "ask for more")
        self.output_dir = Path(output_dir)
        self.scanners = list(scanners) if scanners else shared_scanners(manifest)
        self.mpp, self.allow_upsampling = mpp, allow_upsampling
        self.max_places, self.min_tissue, self.seed = max_places, min_tissue, seed
        self.tissue, self.registration = dict(tissue or {}), dict(registration or {})
        self.encoder_options = {name: dict(options) for name, options in (encoder_options or {}).items()}
        self.max_tiles, self.head, self.robustness_k = max_tiles, HeadSettings(**(head or {})), robustness_k
        self.resamples, self.command, self.device = resamples, command, device
        self.experiment, self.tracking_uri, self.tracking_required = experiment, tracking_uri, tracking_required
        self.store_dir = store_dir or output_dir

    def run(self) -> dict[str, Any]:
        """Measure every encoder, write the results and return them."""
        self.output_dir.mkdir(parents=True, exist_ok=True)
        made = {name: self._encoder(name) for name, folder in self.folders.items() if not folder}
        settings = self._settings(made)
        slides = self.manifest[~self.manifest["slide_path"].map(is_picture)]  # pictures correspond without registration
        matching = match_specimens(slides, settings, self.scanners) if made and self.scanners and len(slides) else None
        if matching:
            self._write_overlays(matching, settings)
        parent = self._tracker("benchmark", None)  # before the long work: a store that cannot be reached ends it here
        results: dict[str, Any] = {}
        failed: dict[str, str] = {}
        for name, folder in self.folders.items():
            try:
                results[name] = self._measured(name, folder, made.get(name), matching, settings)
            except InputError as error:
                if len(failed) + 1 == len(self.folders):
                    raise
                failed[name] = str(error)
                logger.warning("%s is not measured: %s", name, error)
        settle_k(results, self.robustness_k)
        content = self._content(results, failed, matching, settings)
        write_results(self.output_dir, content)
        self._track(content, parent)
        logger.info("the leaderboard is %s", self.output_dir / "leaderboard.html")
        return content

    def _encoder(self, name: str) -> Encoder:
        options = {**({"mpp": self.mpp} if self.mpp else {}), **self.encoder_options.get(name, {})}
        return create_encoder(name, **options)

    def _settings(self, encoders: Mapping[str, Encoder]) -> MatchSettings:
        sides = [encoder.mpp * encoder.tile_px for encoder in encoders.values()]
        return MatchSettings(
            field_um=max(sides, default=0.0),
            max_places=self.max_places,
            min_tissue=self.min_tissue,
            tissue=self.tissue,
            seed=self.seed,
            **self.registration,
        )

    def _measured(
        self, name: str, folder: str | None, encoder: Encoder | None, matching: Matching | None, settings: MatchSettings
    ) -> dict[str, Any]:
        """The encoder's results, from an earlier session where nothing has changed since."""
        files = [fingerprint(str(folder))] if encoder is None else self._slide_fingerprints
        source = [encoder.key if encoder else str(folder), *files]
        table = pd.util.hash_pandas_object(self.manifest, index=False).sum()
        of_features = json.dumps(
            [source, asdict(settings), self.scanners, self.allow_upsampling, self.max_tiles, str(table)], default=str
        )
        how = [asdict(self.head), self.robustness_k, self.resamples, SCHEMA_VERSION, __version__]
        key = json.dumps([of_features, *how])
        path = self.output_dir / "encoders" / f"{name}.json"
        if path.is_file() and (earlier := json.loads(path.read_text())).get("key") == key:
            logger.info("%s was measured before", name)
            return earlier["result"]
        features = self._features(name, folder, encoder, matching, settings, of_features)
        measured = measure(
            features,
            self.manifest,
            self.scanners,
            self.resamples,
            self.seed,
            self.head,
            self.device,
            self.robustness_k,
        )
        facts = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in features.facts.items()}
        result = {"encoder": facts, **measured, "left_out": features.left_out, "warnings": features.warnings}
        with write_atomically(path) as temporary:
            temporary.write_text(json.dumps({"key": key, "result": result}))
        return result

    @cached_property
    def _slide_fingerprints(self) -> list[str]:
        """Of the slides and pictures of the manifest, so that a replaced one is encoded again."""
        return [fingerprint(path) for path in self.manifest["slide_path"] if path]

    def _features(
        self,
        name: str,
        folder: str | None,
        encoder: Encoder | None,
        matching: Matching | None,
        settings: MatchSettings,
        key: str,
    ) -> EncoderFeatures:
        if encoder is None:
            return read_bags(self.manifest, str(folder), self.max_tiles)
        path = self.output_dir / "features" / f"{name}.npz"
        features = load_features(path, key)
        if features is None:
            matching = matching or Matching([], [], {})
            features = encode_slides(self.manifest, matching, settings, encoder, self.allow_upsampling, self.max_tiles)
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
        errors = {one.specimen_id: round(one.error_um, 2) for one in matching.specimens} if matching else {}
        return {
            "schema_version": SCHEMA_VERSION,
            "use": RESEARCH_USE_ONLY,
            "settings": {
                **asdict(settings),
                "scanners": self.scanners,
                "max_tiles": self.max_tiles,
                "head": asdict(self.head),
                "robustness_k": self.robustness_k,
                "resamples": self.resamples,
                "command": self.command,
                "version": __version__,
            },
            "warnings": compare_encoders(results),
            "failed": dict(failed),
            "registration": {"error_um": errors, "left_out": matching.left_out if matching else {}},
            "encoders": dict(results),
        }

    def _write_overlays(self, matching: Matching, settings: MatchSettings) -> None:
        rows = self.manifest.set_index("slide_id")
        for specimen in matching.specimens[:OVERLAYS]:
            with open_scans(list(rows.loc[specimen.slide_ids].itertuples())) as (readers, source):
                overviews, step_um = read_overviews(readers, source, settings)
            for overview, slide_id, found in zip(
                overviews[1:], specimen.slide_ids[1:], specimen.registrations, strict=True
            ):
                picture = registration_overlay(overviews[0], overview, step_um, found)
                with write_atomically(self.output_dir / "registration" / f"{slide_id}.png") as temporary:
                    Image.fromarray(picture).save(temporary)

    def _tracker(self, name: str, parent: RunTracker | None) -> RunTracker | None:
        if self.experiment is None:
            return None
        tracker = RunTracker(
            str(self.store_dir),
            str(self.output_dir / "mlflow_runs" / name),
            experiment=self.experiment,
            run_name=name,
            tracking_uri=self.tracking_uri,
            tracking_required=self.tracking_required,
            params={"seed": self.seed, "resamples": self.resamples, "command": self.command},
            tags={"mlflow.parentRunId": str(parent.run_id)} if parent else {},
        )
        tracker.start()
        return tracker

    def _track(self, content: Mapping[str, Any], parent: RunTracker | None) -> None:
        """One run per encoder under a parent run that holds the files."""
        if parent is None:
            return
        for name, result in content["encoders"].items():
            values = {key: entry["value"] for key, entry in result["figures"].items()}
            for key, of_scanner in result["scanners"].items():
                values.update({f"{key}/{scanner}": entry["value"] for scanner, entry in of_scanner.items()})
            values["tiles_per_second"] = result["encoder"]["tiles_per_second"]
            tracker = self._tracker(name, parent)
            if tracker is not None:
                tracker.log_metrics({f"benchmark/{key}": value for key, value in values.items() if value is not None})
                tracker.finish()
        for file in ("results.json", "results.csv", "leaderboard.html"):
            parent.log_artifact(self.output_dir / file)
        parent.finish()
