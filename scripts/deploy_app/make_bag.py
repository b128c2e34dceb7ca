"""A case's feature bag: opened, or made from the slide exactly as for the model's training."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from case import BAG, DICOM, Case

from scangen_bundle.encoders import Encoder, create_encoder
from scangen_bundle.errors import InputError
from scangen_bundle.features import open_bag, open_writer
from scangen_bundle.features.request import ExtractionRequest
from scangen_bundle.features.tiling import SlideTask, TilingSettings, read_slide


def make_encoder(features: Mapping[str, Any], weights: Path | None) -> Encoder:
    """The encoder that the model was trained on.

    Args:
        features: identity of the training's features, as packed with the model.
        weights: the site's copy of the encoder's weights; None where the encoder brings its own.

    Raises:
        InputError: the encoder or a package that it needs is not here, or its revision is another.
    """
    options = {name: features[name] for name in ("pooling", "tile_px", "mpp")}
    if weights is not None:
        options["weights"] = str(weights)
    try:
        encoder = create_encoder(features["encoder"], **options)
    except ModuleNotFoundError as error:
        problem = f"needs the Python package {error.name}, which is not in the app's environment"
        raise InputError(f"encoder {features['encoder']!r}", problem, f"install {error.name} there") from error
    if str(encoder.revision) != features["revision"]:
        problem = f"is revision {encoder.revision}, the model was trained on {features['revision']}"
        raise InputError(f"encoder {encoder.name!r}", problem, "give the weights of that revision")
    return encoder


class BagMaker:
    """Gives every case its bag.

    Args:
        features: identity of the training's features.
        weights: see `make_encoder`; the encoder is made when the first slide needs it.
        workdir: for the bag of the slide in hand.
        stated_mpp: resolution of level 0 that the site states for its slides, µm/px; NaN takes each file's own.
    """

    def __init__(
        self, features: Mapping[str, Any], weights: Path | None, workdir: Path, stated_mpp: float = math.nan
    ) -> None:
        self.features, self.weights, self.workdir, self.stated_mpp = features, weights, workdir, stated_mpp
        self._encoder: Encoder | None = None

    def __call__(self, case: Case) -> None:
        """Fill `bag`, for a slide also `slide_path` and `header`."""
        if case.kind == BAG:
            case.bag = open_bag(case.paths[0], check_values=True)
            return
        if case.kind == DICOM:
            from dicom_source import find_slide  # needs pydicom, which a site of bags and SVS files can do without

            case.slide_path, case.header = find_slide(case.paths)
        else:
            case.slide_path = case.paths[0]
        if self._encoder is None:
            self._encoder = make_encoder(self.features, self.weights)
        self.workdir.mkdir(parents=True, exist_ok=True)
        path = self.workdir / "slide.h5"
        path.unlink(missing_ok=True)
        self._extract(self._encoder, case.slide_path, path)
        case.bag = open_bag(path)

    def _extract(self, encoder: Encoder, slide: Path, path: Path) -> None:
        settings = json.loads(self.features["settings"])
        tiling = TilingSettings(
            mpp=encoder.mpp,
            tile_px=encoder.tile_px,
            allow_upsampling=settings["upsampling"],
            tissue=settings["tissue"],
            tiling=settings["tiling"],
        )
        request = ExtractionRequest(encoder, tiling, self.features["dtype"])
        try:
            parts = read_slide(SlideTask("slide", str(slide), self.stated_mpp), tiling)
            facts = next(parts)
            with open_writer(path, facts.coords, request.attributes("slide", facts), request.dtype) as writer:
                for part in parts:
                    if isinstance(part, np.ndarray):  # the last part is the slide's sharpness
                        writer.append(encoder.encode(part))
        except InputError:
            raise
        except Exception as error:  # damaged slides fail in the decoders' own ways
            problem = f"cannot be read ({type(error).__name__})"
            raise InputError(slide.name, problem, "send the slide again") from error
