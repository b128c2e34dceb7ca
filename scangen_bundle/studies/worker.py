"""What a process needs for the cells of a study, read once: manifest, checked bags that stay open, the training's config."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
from monai.bundle import ComponentLocator, ConfigParser

from scangen_bundle.cohort.manifest import load_manifest
from scangen_bundle.data import BagReader, make_records, training_scans
from scangen_bundle.methods import Scan
from scangen_bundle.plugins import load_plugins
from scangen_bundle.studies.plan import Cell, Scheme
from scangen_bundle.studies.scans import SplitRules
from scangen_bundle.studies.takes_part import options_of

STUDY, MANIFEST = "study.json", "manifest.csv"


@dataclass(frozen=True)
class StudyFacts:
    """All that a cell's result depends on, beside the cell itself. `study.json` holds it.

    Attributes:
        train_config: files of the training's config, merged in this order.
        training: settings of that config, by their ids, that differ from the files.
        features_dir: where a scan's bag is, if the manifest does not say.
        rules: how patients are divided.
        schemes: by name.
        choose_by: rules of choice; test scans are predicted at the epoch that each takes.
        method_options: by method, what does not have its default.
        plugins: python files of the user.
        threads: of torch in each worker; 0 leaves it as it is.
        manifest_digest: of the manifest's content.
        features_digest: of what the bags say of themselves.
    """

    train_config: tuple[str, ...]
    training: Mapping[str, Any]
    features_dir: str
    rules: SplitRules
    schemes: Mapping[str, Scheme]
    choose_by: tuple[str, ...]
    method_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    threads: int = 1
    manifest_digest: str = ""
    features_digest: str = ""

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> StudyFacts:
        rules = {**entry["rules"], "never_train": tuple(entry["rules"]["never_train"])}
        schemes = {name: _scheme_from_json(scheme) for name, scheme in entry["schemes"].items()}
        tuples = {name: tuple(entry[name]) for name in ("train_config", "choose_by", "plugins")}
        return cls(**{**entry, **tuples, "rules": SplitRules(**rules), "schemes": schemes})


def _scheme_from_json(entry: Mapping[str, Any]) -> Scheme:
    return Scheme(**{**entry, "hold_out": tuple(tuple(names) for names in entry["hold_out"])})


@dataclass
class Worker:
    """A study in one process.

    Attributes:
        folder: of the study.
        facts: of the study.
        manifest: all scans.
        records: of all scans, by slide.
        locator: finds components by their names.
        bags: kept open between cells; mapped, which workers share, or in memory where a file cannot be.
        config: the training's config as its files say it.
        num_features: D of every bag.
    """

    folder: Path
    facts: StudyFacts
    manifest: pd.DataFrame
    records: Mapping[str, dict[str, Any]]
    config: Mapping[str, Any]
    num_features: int
    locator: ComponentLocator = field(default_factory=ComponentLocator)
    bags: BagReader = field(default_factory=partial(BagReader, keep_unmapped=True))

    def parser(self, cell: Cell) -> ConfigParser:
        """The config of a cell's training, before the study's own changes."""
        parser = ConfigParser(copy.deepcopy(self.config))
        parser.locator = self.locator  # it looks through all of MONAI, once
        for name, value in self.facts.training.items():
            parser[name] = copy.deepcopy(value)
        parser["features_dir"] = self.facts.features_dir
        parser["seed"] = cell.seed
        parser["method"] = cell.method
        parser["method_options"] = self.options(cell)
        return parser

    def options(self, cell: Cell) -> dict[str, dict[str, Any]]:
        """Options of the cell's method: the study's, and over them the cell's strength."""
        options = options_of(cell.method, self.facts.method_options)
        for member, strength in cell.options.items():
            options[member] = {**options.get(member, {}), **strength}
        return options

    def records_of(self, scans: pd.DataFrame, split: str) -> tuple[dict[str, Any], ...]:
        """Records of the scans of a split, in the order of the manifest; a tuple, into which a config parser does not look."""
        return tuple(self.records[slide] for slide in scans.loc[scans["split"] == split, "slide_id"])

    def training_scans(self, scans: pd.DataFrame) -> tuple[Scan, ...]:
        """Scans that a method may be fitted on, read from the bags that are kept open."""
        return tuple(training_scans(scans, self.facts.features_dir, num_features=self.num_features, reader=self.bags))


@lru_cache(maxsize=1)
def open_worker(folder: str) -> Worker:
    """Read a study's files; once per process.

    Raises:
        InputError: a bag is missing, damaged, or of another kind than the others.
    """
    root = Path(folder)
    facts = StudyFacts.from_json(json.loads((root / STUDY).read_text("utf-8"))["facts"])
    load_plugins(facts.plugins)
    manifest = load_manifest(root / MANIFEST, allow_outside=True)
    config = ConfigParser.load_config_files(list(facts.train_config))
    parser = ConfigParser(copy.deepcopy(config))
    for name, value in facts.training.items():
        parser[name] = copy.deepcopy(value)
    num_features = int(parser.get_parsed_content("num_features"))
    num_classes = int(parser.get_parsed_content("num_classes"))
    records = make_records(
        manifest,
        facts.features_dir,
        num_features=num_features,
        num_classes=num_classes,
        encoder=str(parser.get_parsed_content("encoder_name")),
    )
    by_slide = {record["slide_id"]: record for record in records}
    return Worker(root, facts, manifest, by_slide, config, num_features)
