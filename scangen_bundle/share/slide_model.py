"""An exported network with all that it says of a slide: what the served model and the deploy app run."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import torch

from scangen_bundle.bags import FeatureBag
from scangen_bundle.errors import InputError
from scangen_bundle.methods import scanner_keys
from scangen_bundle.share.export import DESCRIPTION, load_exported
from scangen_bundle.share.reference import REFERENCE_FILE, SiteReference
from scangen_bundle.share.statement import objections, refuse, state


class SlideModel:
    """The exported network with its embedded description.

    Args:
        path: the `.ts` that `scangen pack` wrote.
        allowed: kinds of objection that become warnings, see `scangen_bundle.share.statement.objections`.

    Attributes:
        metadata: embedded in the file.
        description: our own part of it: name, task, class_names, num_features, training_scanners, features, method,
            scanner_names.
        features: identity of the training's features.
        reference: numbers of the validation patients.

    Raises:
        InputError: the file is missing, damaged, or without metadata or validation numbers.
    """

    def __init__(self, path: str | os.PathLike[str], allowed: frozenset[str] = frozenset()) -> None:
        self.network, self.metadata, files = load_exported(path)
        if not files.get(REFERENCE_FILE):
            raise InputError(path, "has no validation numbers", "take the .ts that scangen pack wrote")
        self.reference = SiteReference.from_json(json.loads(files[REFERENCE_FILE]))
        self.description = self.metadata[DESCRIPTION]
        self.features = self.description["features"]
        self.allowed = allowed

    def __call__(self, bag: FeatureBag, where: str) -> tuple[dict[str, Any], np.ndarray]:
        """What is said about a slide (see `statement.state`) with `warnings`, and the attention [N] of its tiles.

        Args:
            bag: of the slide.
            where: names the slide in messages.

        Raises:
            InputError: the bag is empty or of another D, or the slide is refused, also where the network's method needs the
                scanner and the file does not name one that it knows.
        """
        if not len(bag):
            raise InputError(where, "the bag has no tile", "look at the slide")
        refuse(where, objections(bag.attributes, self.features), self.allowed)
        if bag.dim != self.description["num_features"]:
            problem = f"its vectors have D = {bag.dim}, the model takes {self.description['num_features']}"
            raise InputError(where, problem, "extract the features with the model's encoder")
        scanner = self._scanner(bag, where)
        with torch.no_grad():
            image = torch.from_numpy(bag.rows())[None]
            probability, attention, embedding = self.network.explain(image, None, scanner)
        told = state(
            probability[0].numpy().astype(np.float64),
            embedding[0].numpy(),
            str(bag.attributes.get("scanner", "")),
            self.reference,
        )
        warnings = refuse(where, objections(bag.attributes, self.features, told), self.allowed)
        return {**told, "warnings": warnings}, attention[0].numpy()

    def _scanner(self, bag: FeatureBag, where: str) -> torch.Tensor:
        """The key [1] of the scanner that the bag's file names.

        Raises:
            InputError: the network's method does not know it.
        """
        name = str(bag.attributes.get("scanner", ""))
        key = scanner_keys([name])
        if bool(self.network.knows(key).all()):
            return key
        identified = f"its file names the scanner {name!r}" if name else "its file names no scanner"
        names = self.description["scanner_names"]
        known = ", ".join("/".join(dict.fromkeys((scanner, *spelled))) for scanner, spelled in names.items())
        problem = f"{identified}, the network's method {self.description['method']} needs it and knows {known}"
        raise InputError(where, problem, "no result is given; train a network with scans of this scanner")
