"""A slide's feature bag, made exactly as the bags that a packed network was trained on."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scangen_bundle.bags import FeatureBag, open_bag
from scangen_bundle.encoders import Encoder, create_encoder
from scangen_bundle.errors import InputError
from scangen_bundle.extraction import ExtractionRequest, SlideTask, TilingSettings, extract_slide
from scangen_bundle.share.statement import ENCODER_FIELDS


def create_training_encoder(features: Mapping[str, Any], weights: str | os.PathLike[str] | None = None) -> Encoder:
    """The encoder that a packed network was trained on.

    Args:
        features: identity of the training's features, as packed with the network.
        weights: the site's copy of the encoder's weights; None where the encoder brings its own.

    Raises:
        InputError: the encoder or a Python package that it needs is not here, or its revision is another.
    """
    options = {name: features[name] for name in ("pooling", "tile_px", "mpp")}
    if weights is not None:
        options["weights"] = os.fspath(weights)
    try:
        encoder = create_encoder(features["encoder"], **options)
    except ModuleNotFoundError as error:
        problem = f"needs the Python package {error.name}, which is not in this environment"
        raise InputError(f"encoder {features['encoder']!r}", problem, f"install {error.name} there") from error
    if str(encoder.revision) != features["revision"]:
        problem = f"is revision {encoder.revision}, the model was trained on {features['revision']}"
        raise InputError(f"encoder {encoder.name!r}", problem, "give the weights of that revision")
    return encoder


class SlideFeatures:
    """Makes feature bags of slides.

    Args:
        features: identity of the training's features, as packed with the network.
        weights: see `create_training_encoder`; the encoder is made when the first slide needs it.
    """

    def __init__(self, features: Mapping[str, Any], weights: str | os.PathLike[str] | None = None) -> None:
        self.features, self.weights = features, weights
        self._request: ExtractionRequest | None = None

    def write(self, slide: str | os.PathLike[str], path: Path, stated_mpp: float = math.nan) -> FeatureBag:
        """Write the bag of a slide, and open it.

        Args:
            slide: the slide file.
            path: the bag.
            stated_mpp: resolution of level 0 that the site states, µm/px; NaN takes the file's own.

        Raises:
            InputError: it is not known how the training's slides were cut, the encoder is not here or another, the slide cannot
                be read, has no plausible mpp, or no tissue.
            OSError: the bag cannot be written.
        """
        if self._request is None:
            self._request = self._make_request()
        extract_slide(SlideTask("slide", os.fspath(slide), stated_mpp, bag=os.fspath(path)), self._request)
        return open_bag(path)

    def _make_request(self) -> ExtractionRequest:
        if absent := [name for name in (*ENCODER_FIELDS, "settings", "dtype") if name not in self.features]:
            problem = f"was trained on features that do not say their {', '.join(absent)}, as another tool's do not"
            raise InputError("the model", problem, "send feature bags made by that tool: slides cannot be cut its way")
        encoder = create_training_encoder(self.features, self.weights)
        settings = json.loads(self.features["settings"])
        tiling = TilingSettings(
            mpp=encoder.mpp,
            tile_px=encoder.tile_px,
            allow_upsampling=settings["upsampling"],
            tissue=settings["tissue"],
            tiling=settings["tiling"],
        )
        request = ExtractionRequest(encoder, tiling, self.features["dtype"])
        if json.loads(request.settings) != settings:
            problem = f"cuts slides as {request.settings}, the model was trained on {self.features['settings']}"
            raise InputError("this version", problem, "use the code that was packed with the model")
        return request
