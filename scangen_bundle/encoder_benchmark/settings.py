"""The benchmark's settings: which tiles are taken, and how they are measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from scangen_bundle.encoder_benchmark.head import HeadSettings
from scangen_bundle.encoder_benchmark.matching import MatchSettings
from scangen_bundle.encoders import Encoder
from scangen_bundle.errors import InputError, check_known
from scangen_bundle.extraction.work import check_options

# Options of a registration; the rest of its settings are the benchmark's own.
REGISTRATION = sorted(
    {field.name for field in fields(MatchSettings)} - {"field_um", "max_places", "min_tissue", "tissue", "seed"}
)


@dataclass(frozen=True)
class TileSettings:
    """Which tiles of the scans are measured.

    Args:
        mpp: µm/px of the tiles for all encoders; None takes each encoder's own.
        max_places: fields of view per specimen.
        min_tissue: least share of tissue in a field of view.
        tissue: options of `slides.tissue_mask`.
        registration: further options of `matching.MatchSettings`.
        allow_upsampling: see `slides.TileReader`.
        max_tiles: tiles of each scan of a folder of feature bags or of pictures, evenly spread; None takes all.
        encoder_options: options of `encoders.create_encoder`, by name.

    Raises:
        InputError: an option that does not exist, or no place.
    """

    mpp: float | None = None
    max_places: int = 32
    min_tissue: float = 0.5
    tissue: Mapping[str, Any] = field(default_factory=dict)
    registration: Mapping[str, Any] = field(default_factory=dict)
    allow_upsampling: bool = False
    max_tiles: int | None = 512
    encoder_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_options("tissue", self.tissue)
        check_known("registration", self.registration, REGISTRATION)
        _check_count("max_places", self.max_places)

    def match_settings(self, encoders: Iterable[Encoder], seed: int) -> MatchSettings:
        """How specimens are matched, with room for the largest tile of all encoders."""
        sides = [encoder.mpp * encoder.tile_px for encoder in encoders]
        return MatchSettings(
            field_um=max(sides, default=0.0),
            max_places=self.max_places,
            min_tissue=self.min_tissue,
            tissue=dict(self.tissue),
            seed=seed,
            **self.registration,
        )


@dataclass(frozen=True)
class MeasureSettings:
    """How the features are measured.

    Args:
        head: options of `head.HeadSettings`.
        robustness_k: neighbours of the robustness index, for all encoders; None takes the median of their best ones.
        device: for the MIL head and the retrieval; encoders have their own in `TileSettings.encoder_options`.
        resamples: of the bootstrap over patients.

    Raises:
        InputError: an option that does not exist, or no resample.
    """

    head: Mapping[str, Any] = field(default_factory=dict)
    robustness_k: int | None = None
    device: str = "cpu"
    resamples: int = 1000

    def __post_init__(self) -> None:
        check_known("head", self.head, sorted(field.name for field in fields(HeadSettings)))
        _check_count("resamples", self.resamples)

    @property
    def head_settings(self) -> HeadSettings:
        return HeadSettings(**self.head)


def _check_count(name: str, number: int) -> None:
    if number < 1:
        raise InputError("the benchmark", f"{name} is {number}, expected at least 1", "ask for more")
