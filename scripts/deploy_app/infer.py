"""A case's result: the exported network on the bag, and what is to be said beside its probability."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from case import Case

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.errors import InputError
from scangen_bundle.share.export import DESCRIPTION, load_exported
from scangen_bundle.share.reference import REFERENCE_FILE, SiteReference
from scangen_bundle.share.statement import objections, refuse, state

SCHEMA_VERSION = 1


class Classifier:
    """The exported network with its embedded description.

    Args:
        path: the `.ts` that `scripts/package_bundle.py` wrote.
        allowed: kinds of objection that become warnings, see `scangen_bundle.share.statement.objections`.

    Raises:
        InputError: the file is missing, damaged or without its metadata.
    """

    def __init__(self, path: Path, allowed: frozenset[str] = frozenset()) -> None:
        self.network, self.metadata, files = load_exported(path)
        if not files.get(REFERENCE_FILE):
            raise InputError(path, "has no validation numbers", "take the .ts that scripts/package_bundle.py wrote")
        self.reference = SiteReference.from_json(json.loads(files[REFERENCE_FILE]))
        self.description = self.metadata[DESCRIPTION]
        self.features = self.description["features"]
        self.allowed = allowed

    def __call__(self, case: Case) -> None:
        """Fill `result` and `attention`.

        Raises:
            InputError: the slide is refused.
        """
        bag = case.bag
        if not len(bag):
            raise InputError(case.name, "the bag has no tile", "look at the slide")
        where = case.paths[0].name
        refuse(where, objections(bag.attributes, self.features), self.allowed)
        if bag.dim != self.description["num_features"]:
            problem = f"its vectors have D = {bag.dim}, the model takes {self.description['num_features']}"
            raise InputError(where, problem, "extract the features with the model's encoder")
        with torch.no_grad():
            probability, attention, embedding = self.network.explain(torch.from_numpy(bag.rows())[None], None)
        probabilities = probability[0].numpy().astype(np.float64)
        statement = state(probabilities, embedding[0].numpy(), str(bag.attributes.get("scanner", "")), self.reference)
        warnings = refuse(where, objections(bag.attributes, self.features, statement), self.allowed)
        model = {name: self.metadata[name] for name in ("version", "commit", "encoder")}
        case.attention = attention[0].numpy()
        case.result = {
            "schema_version": SCHEMA_VERSION,
            "notice": RESEARCH_USE_ONLY,
            "input": {"name": case.name, "kind": case.kind, "tiles": len(bag)},
            "model": {"name": self.description["name"], **model},
            **statement,
            "warnings": warnings,
        }
