"""What a job asks for, as its bags record it: bags of another request must not be mixed in."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scangen_bundle import __version__
from scangen_bundle.bags.attributes import BagAttributes
from scangen_bundle.bags.bag import FeatureBag
from scangen_bundle.encoders import Encoder
from scangen_bundle.extraction.work import OPTIONS, SlideFacts, SlideTask, TilingSettings, option_defaults
from scangen_bundle.fingerprint import fingerprint

# Bump when a change of the code changes which tiles are cut or what their pixels are.
EXTRACTION_VERSION = 1
PACKAGES = ("numpy", "torch", "onnxruntime", "timm", "transformers", "openslide-python", "tifffile")


@dataclass(frozen=True)
class ExtractionRequest:
    """An encoder, how slides are cut for it, and in what precision its vectors are kept."""

    encoder: Encoder
    tiling: TilingSettings
    dtype: str

    @property
    def settings(self) -> str:
        """JSON of what decides the vectors and has no attribute of its own."""
        tiling = self.tiling
        options = {"tissue": dict(tiling.tissue), "tiling": dict(tiling.tiling), "upsampling": tiling.allow_upsampling}
        return json.dumps({"extraction_version": EXTRACTION_VERSION, **options}, sort_keys=True)

    def for_slide(self, task: SlideTask) -> ExtractionRequest:
        """What is asked for of one slide."""
        return replace(self, tiling=self.tiling.for_slide(task))

    def expected(self) -> dict[str, Any]:
        """The attributes that every bag of this request has."""
        return {
            "encoder": self.encoder.name,
            "revision": str(self.encoder.revision),
            "pooling": self.encoder.pooling,
            "dim": self.encoder.dim,
            "tile_px": self.tiling.tile_px or self.encoder.tile_px,
            "mpp": float(self.tiling.mpp or self.encoder.mpp),
            "settings": self.settings,
        }

    @property
    def digest(self) -> str:
        """A name of this request: equal requests have equal ones."""
        settings = _full_settings(self.settings)
        content = json.dumps({**self.expected(), "settings": settings, "dtype": self.dtype}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def attributes(self, task: SlideTask, facts: SlideFacts) -> BagAttributes:
        """What the bag of a slide says about itself."""
        return BagAttributes(
            slide_id=task.slide_id,
            **self.for_slide(task).expected(),
            source_mpp_x=facts.source_mpp[0],
            source_mpp_y=facts.source_mpp[1],
            effective_mpp_x=facts.effective_mpp[0],
            effective_mpp_y=facts.effective_mpp[1],
            read_level=facts.read_level,
            scanner=facts.scanner,
            slide_width=facts.slide_size[0],
            slide_height=facts.slide_size[1],
            slide_digest=_slide_digest(task.path),
            mask=_digest(task.mask),
            tissue_mm2=facts.tissue_mm2,
            overlap=float(self.tiling.tiling.get("overlap", 0.0)),
            versions=json.dumps({**software(), "reader": facts.backend}, sort_keys=True),
        )

    def differences(self, bag: FeatureBag, task: SlideTask) -> Iterator[str]:
        """How a finished bag differs from what this request would make of a slide."""
        if bag.attributes.get("slide_id") != task.slide_id:
            yield f"it is the bag of {bag.attributes.get('slide_id')}"
        made_of, now = bag.attributes.get("slide_digest"), _slide_digest(task.path)
        if made_of and now and made_of != now:  # a slide that was archived since is no difference
            yield f"it was made of another slide file than {task.path} is now"
        if bag.attributes.get("mask") != _digest(task.mask):
            yield f"it was made {'with another mask' if bag.attributes.get('mask') else 'without a mask'} of yours"
        for name, value in {**self.for_slide(task).expected(), "dtype": self.dtype}.items():
            found = str(bag.features.dtype) if name == "dtype" else bag.attributes.get(name)
            if found != value:
                yield from (
                    _settings_differences(found, value) if name == "settings" else _difference(name, found, value)
                )
        stated = bag.attributes.get("source_mpp_x")
        wanted = task.source_mpp
        if not math.isnan(wanted) and (stated is None or not math.isclose(stated, wanted, rel_tol=1e-6)):
            yield f"the slide was read as {stated} µm/px, the manifest now says {wanted:g}"


def _slide_digest(path: str) -> str:
    """The same for copies of a slide, "" for a file that is not there."""
    return fingerprint(path, times=False) if os.path.isfile(path) else ""


def _digest(path: str) -> str:
    """The first digits of a file's SHA-256, "" for no file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16] if path else ""


def _difference(name: str, found: object, wanted: object) -> list[str]:
    return [f"{name} is {found}, asked for {wanted}"] if found != wanted else []


def _full_settings(settings: str) -> dict[str, Any]:
    """The content of `ExtractionRequest.settings`, with the options that are not given at their defaults.

    Raises:
        ValueError, TypeError: the text is not such settings.
    """
    content = json.loads(settings)
    filled = {name: {**option_defaults(name), **content.get(name, {})} for name in OPTIONS}
    return json.loads(json.dumps({**content, **filled}))  # an option may be a tuple here and is a list there


def _settings_differences(found: str | None, wanted: str) -> list[str]:
    """The entries of two `ExtractionRequest.settings` that differ, each by its name, such as `tiling.overlap`."""
    try:
        theirs, ours = _full_settings(found or "{}"), _full_settings(wanted)
    except (ValueError, TypeError, AttributeError):
        return _difference("settings", found, wanted)
    texts = []
    for name in sorted(theirs.keys() | ours.keys()):
        if name in OPTIONS:
            for option in sorted(theirs[name].keys() | ours[name].keys()):
                texts += _difference(f"{name}.{option}", theirs[name].get(option), ours[name].get(option))
        else:
            texts += _difference(name, theirs.get(name), ours.get(name))
    return texts


def software() -> dict[str, str]:
    """Versions of what takes part in making a bag, of those that are installed."""
    found = {"python": platform.python_version(), "scangen_bundle": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
