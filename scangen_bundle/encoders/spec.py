"""What must be known of an encoder before its vectors may be stored: one frozen record, checked when it is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF_MEAN = HALF_STD = (0.5, 0.5, 0.5)

NATURAL_IMAGES = "natural images"
PATHOLOGY = "pathology"
CONTROL = "control"
DOMAINS = (PATHOLOGY, NATURAL_IMAGES, CONTROL)
LIBRARIES = ("timm", "transformers", "own")
PRECISIONS = ("float32", "float16", "bfloat16")
INTERPOLATIONS = ("bicubic", "bilinear")

# Ways to make one vector of a network's output. `cls+mean` is the class token beside the mean of the patch tokens,
# registers left out; `gap` the mean over a feature map; `pooler` and `own` what the model itself gives.
POOLINGS = ("cls", "cls+mean", "mean", "pooler", "gap", "own")


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """One encoder: where it comes from, how it is built, what it takes, what it gives, and on what terms.

    Args:
        name: the registry's key, safe as a file name (lower case letters, digits, `.`, `-`).
        family: who made it; for tables.
        domain: what it was trained on: `pathology`, `natural images`, or `control` (nothing).
        library: who builds it: `timm`, `transformers` or `own` code.
        hub_id: its Hugging Face repository, or "" where it has none.
        revision: the branch, tag or commit of the repository to ask for; a loaded encoder reports the commit it found.
        weights_file: the published file that holds the weights, or for transformers one that the model's code needs beside
            those which transformers finds by itself.
        architecture: timm's name of the architecture.
        kwargs: how the architecture is built beyond its defaults.
        config: what the configuration beside the weights of a transformers model has to say, such as its number of layers.
        ignored_keys: beginnings of weight names that the encoder does not use (a classifier, say).
        poolings: each pooling that makes sense, with its number of features D.
        pooling: the one used when nobody asks for another; "" for the first.
        tile_px: side of the tile to cut from the slide, in px at `mpp`.
        resize_px: side that the tile is resized to; `tile_px` when nothing is to be resized.
        input_px: side of the centre that the network sees.
        mean: mean of each colour channel (RGB, 0 to 1) that is subtracted; `own` code that normalises by itself has none.
        std: standard deviation that it is divided by.
        interpolation: filter of the resizing.
        mpp: resolution it was trained at, µm/px.
        precision: number type of its forward pass on a GPU (on a CPU it is always float32).
        licence: the terms of the weights.
        gated: whether the hub asks for an account and an agreement.
        trust_remote_code: whether the model is code that lies beside its weights on the hub.
        parameters: number of parameters in millions as published (model card, paper, or counted on the real weights by
            https://github.com/rendeirolab/lazyslide-models), or None where nobody did.
        packages: names to import that the encoder needs and that not every user has.
        built_in: whether it brings its weights along, or has none.
        note: what a user must know besides.

    Raises:
        ValueError: if a field is missing or contradicts another; it names the encoder and the field.
    """

    name: str
    domain: str
    poolings: Mapping[str, int]
    licence: str
    family: str = "own"
    library: str = "own"
    pooling: str = ""
    tile_px: int = 224
    mpp: float = 0.5
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    precision: str = "float32"
    gated: bool = False
    revision: str = "1"
    hub_id: str = ""
    weights_file: str = ""
    architecture: str = ""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    ignored_keys: tuple[str, ...] = ()
    resize_px: int = 0
    input_px: int = 0
    interpolation: str = "bicubic"
    trust_remote_code: bool = False
    parameters: float | None = None
    packages: tuple[str, ...] = ()
    built_in: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        self._set_defaults()
        self._need(re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", self.name), "name", "lower case words joined by - or .")
        for name in ("family", "licence", "revision"):
            self._need(getattr(self, name), name, "a text that is not empty")
        choices = {"domain": DOMAINS, "library": LIBRARIES, "precision": PRECISIONS, "interpolation": INTERPOLATIONS}
        for name, allowed in choices.items():
            self._need(getattr(self, name) in allowed, name, f"one of {', '.join(allowed)}")
        self._check_poolings()
        self._check_pixels()
        self._check_origin()

    def _set_defaults(self) -> None:
        """Fill what follows from other fields, and make the mappings read-only."""
        for name in ("poolings", "kwargs", "config"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        object.__setattr__(self, "pooling", self.pooling or next(iter(self.poolings), ""))
        object.__setattr__(self, "resize_px", self.resize_px or self.tile_px)
        object.__setattr__(self, "input_px", self.input_px or self.resize_px)

    def _check_poolings(self) -> None:
        expected = f"some of {', '.join(POOLINGS)}"
        self._need(self.poolings and set(self.poolings) <= set(POOLINGS), "poolings", expected)
        positive = all(dim > 0 for dim in self.poolings.values())
        self._need(positive, "poolings", "a positive number of features for each")
        self._need(self.pooling in self.poolings, "pooling", f"one of {', '.join(self.poolings)}")

    def _check_pixels(self) -> None:
        self._need(0 < self.input_px <= self.resize_px, "input_px", f"1 to resize_px = {self.resize_px}")
        self._need(self.tile_px > 0, "tile_px", "a positive number of px")
        self._need(0 < self.mpp < 10, "mpp", "µm/px above 0 and below 10")
        for name in ("mean", "std"):
            channels = getattr(self, name)
            if channels is None and self.library == "own":
                continue
            valid = channels is not None and len(channels) == 3 and all(0 < value < 1 for value in channels)
            self._need(valid, name, "three numbers between 0 and 1")

    def _check_origin(self) -> None:
        self._need(self.library != "timm" or self.architecture, "architecture", "timm's name of the architecture")
        self._need(self.library == "transformers" or not self.config, "config", "none: transformers alone reads one")
        self._need(self.library != "transformers" or self.hub_id, "hub_id", "the repository on the hub")
        self._need(not self.gated or self.hub_id, "hub_id", "the repository whose gate it is")
        self._need(not self.hub_id or self.hub_id.count("/") == 1, "hub_id", "owner/name")

    def _need(self, holds: object, name: str, expected: str) -> None:
        if not holds:
            raise ValueError(f"encoder {self.name!r}: {name} is {getattr(self, name)!r}, expected {expected}")

    @property
    def url(self) -> str:
        """The page with the model's card, and with its gate where it has one."""
        return f"https://huggingface.co/{self.hub_id}" if self.hub_id else ""
